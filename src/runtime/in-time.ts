/** Hooks that are awaited before the upstream keep to the time of their request: its 504 comes when it is due. */
import { gatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import { deadlineOf, type TimeLimits } from '../proxy/deadline.ts';
import { errorReply } from '../proxy/problem.ts';

export interface Keeping {
  readonly limits: TimeLimits;
  readonly wheel: Wheel;
}

/**
 * Gives what the hooks give, or a 504 once the time is over; hooks that come after the one that was awaited then don't
 * run. A plugin may shorten the time meanwhile.
 */
export function inTime(
  x: LiveExchange,
  work: Promise<Reply | undefined>,
  { limits, wheel }: Keeping,
): Promise<Reply | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply | undefined>();
  const alarm = new Alarm(() => {
    x.late = true;
    x.abort();
    resolve(errorReply(gatewayError('GW_TIMEOUT', 'while a plugin was at work')));
  });
  const arm = () => wheel.arm(alarm, Math.max(1, deadlineOf(x, limits) - x.clock.nowMs()));
  const over = () => {
    wheel.disarm(alarm);
    x.limited = null;
  };
  arm();
  x.limited = arm;
  work.then(
    (reply) => {
      over();
      resolve(reply);
    },
    (cause: unknown) => {
      over();
      reject(cause);
    },
  );
  return promise;
}
