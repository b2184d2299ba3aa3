import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { createWheel } from '../../../src/kernel/wheel.ts';
import { reply } from '../../../src/plugin.ts';
import { type ForwardOptions, forward } from '../../../src/proxy/forward.ts';
import { createManualClock } from '../../kit/clock.ts';
import { createExchange, fieldsOf, HandBody, HandTransport } from '../../kit/proxy.ts';

const EVENTS = ['head', 'fail', 'inform', 'write', 'end', 'break', 'leave', 'time', 'turn'] as const;
const HOOKS = ['none', 'keep', 'replace', 'throw', 'keep later', 'replace later', 'reject'] as const;

const hookOf = (kind: (typeof HOOKS)[number]): ForwardOptions['respond'] => {
  switch (kind) {
    case 'none':
      return null;
    case 'keep':
      return () => undefined;
    case 'replace':
      return () => reply(418, {}, 'teapot');
    case 'throw':
      return () => {
        throw new Error('boom');
      };
    case 'keep later':
      return () => Promise.resolve(undefined);
    case 'replace later':
      return () => Promise.resolve(reply(418, {}, 'teapot'));
    case 'reject':
      return () => Promise.reject(new Error('boom'));
  }
};

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('whatever happens in whatever order, an exchange is answered once and ends once', async () => {
  const events = fc.array(fc.constantFrom(...EVENTS), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...HOOKS), fc.boolean(), events, async (hook, staged, sequence) => {
      const clock = createManualClock();
      const upstream = new HandTransport();
      const { x, down } = createExchange({ clock });
      let done = 0;
      let stagesOver = 0;
      if (staged) {
        x.mapResponse((next) => ({
          ready: null,
          write: (chunk) => next.write(chunk),
          end: (trailers) => {
            stagesOver++;
            next.end(trailers);
          },
          fail: (error) => {
            stagesOver++;
            next.fail(error);
          },
        }));
      }
      forward(x, {
        call: upstream,
        upstreamName: 'orders',
        timeouts: { connectMs: 0, firstByteMs: 0, idleMs: 0 },
        timeoutMs: 0,
        maxDurationMs: 1000,
        wheel: createWheel(clock),
        hash: null,
        hostHeader: 'keep',
        viaName: 'snowgate',
        bodyLimitBytes: 0,
        respond: hookOf(hook),
        attempt: null,
        done: () => done++,
      });
      const body = new HandBody();
      let headed = false;
      let over = false;
      // An upstream keeps to its seam: one head or one failure, no body before it is read or after its end.
      const flows = () => body.sink !== null && body.cancelled === null && !over;
      for (const event of [...sequence, 'turn'] as const) {
        if (event === 'turn') await turn();
        else if (event === 'leave') down.left?.();
        else if (event === 'time') clock.advance(600);
        else if (event === 'inform') upstream.to!.inform(103, fieldsOf());
        else if (event === 'head' && !headed) {
          headed = true;
          upstream.to!.head({ status: 200, fields: fieldsOf() }, body);
        } else if (event === 'fail' && !headed) {
          headed = true;
          upstream.to!.fail(gatewayError('GW_UPSTREAM_RESET'));
        } else if (event === 'write' && flows()) body.write('x');
        else if (event === 'end' && flows()) {
          over = true;
          body.sink!.end(null);
        } else if (event === 'break' && flows()) {
          over = true;
          body.sink!.fail(gatewayError('GW_UPSTREAM_CUT'));
        }
      }
      const ends = down.sink.ended + down.sink.failures.length;
      expect(ends).toBeLessThanOrEqual(1);
      expect(done).toBeLessThanOrEqual(1);
      if (x.left) {
        // Nothing is said to a client that has gone, and nothing is left running for it.
        expect(done).toBe(1);
        expect(x.error).not.toBeNull();
        if (body.sink !== null) expect(over || body.cancelled !== null).toBe(true);
      } else {
        expect(ends).toBe(done);
        if (down.answer !== null) expect(x.status).toBe(down.answer.status);
        if (down.sink.failures.length > 0) expect(x.error).toBe(down.sink.failures[0]);
        if (headed) expect(down.answer).not.toBeNull();
      }
      if (staged && body.sink !== null) expect(stagesOver).toBe(over || body.cancelled !== null ? 1 : 0);
      if (headed && body.sink === null && down.answer !== null) expect(x.status).not.toBe(200);
    }),
    { numRuns: 1500, seed: 7 },
  );
});
