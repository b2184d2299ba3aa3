/** What counts beside the balancer when an endpoint is chosen: how new it is, and how many are left. */
import { durationOrOff, percentOrOff } from './forms.ts';
import type { Upstream } from './types.ts';

/** Keys of an upstream. */
export const choosingShape = {
  slowStart: durationOrOff()
    .prefault('off')
    .describe('How long an endpoint that is new, or back, takes from a tenth of its share to all of it.'),
  panic: percentOrOff()
    .prefault('50%')
    .describe(
      'With less than this part of the endpoints available, failed checks and ejections are not believed; off: always.',
    ),
};

/** What the two keys mean once `off` has become a number. */
export function readChoosing(input: {
  readonly slowStart: number | null;
  readonly panic: number | null;
}): Pick<Upstream, 'slowStartMs' | 'panicBelow'> {
  return { slowStartMs: input.slowStart ?? 0, panicBelow: input.panic ?? 0 };
}
