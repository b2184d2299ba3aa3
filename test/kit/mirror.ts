/** A request and its copy, both answered by hand. */
import { createWheel } from '../../src/kernel/wheel.ts';
import { forward } from '../../src/proxy/forward.ts';
import type { ForwardOptions } from '../../src/proxy/forward-options.ts';
import { Mirror, type MirrorOptions } from '../../src/proxy/mirror.ts';
import { createManualClock } from './clock.ts';
import { createExchange, HandTransport, RecordSink } from './proxy.ts';

/**
 * Makes a mirror that copies everything, and what begins a request through it.
 * @param change of the mirror
 * @param way of the original
 */
export const setUpMirror = (change: Partial<MirrorOptions> = {}, way: Partial<ForwardOptions> = {}) => {
  const clock = createManualClock();
  const wheel = createWheel(clock);
  const [main, shadow] = [new HandTransport(), new HandTransport()];
  const ended: string[] = [];
  const attempted: string[] = [];
  const mirror = new Mirror({
    call: shadow,
    percent: 1,
    timeouts: { connectMs: 0, firstByteMs: 0, idleMs: 0 },
    timeoutMs: 5000,
    hostHeader: 'keep',
    hash: null,
    clock,
    random: { next: () => 0.5, bytes: (count) => new Uint8Array(count) },
    wheel,
    ended: (result) => ended.push(result),
    attempted: (endpoint, status, code) => attempted.push(`${endpoint} ${status} ${code}`),
    ...change,
  });
  const begin = (exchange: Parameters<typeof createExchange>[0] = {}) => {
    const made = createExchange({ clock, ...exchange });
    forward(made.x, {
      call: main,
      upstreamName: 'orders',
      timeouts: { connectMs: 0, firstByteMs: 0, idleMs: 0 },
      timeoutMs: 0,
      maxDurationMs: null,
      wheel,
      hash: null,
      hostHeader: 'keep',
      viaName: 'snowgate',
      bodyLimitBytes: 1_000_000,
      mirror,
      respond: null,
      attempt: null,
      done: null,
      ...way,
    });
    return made;
  };
  /** The main upstream takes the body, as a sink that records it. */
  const takeBody = () => {
    const sink = new RecordSink();
    main.call!.body!.read(sink);
    return sink;
  };
  return { clock, main, shadow, ended, attempted, begin, takeBody, mirror };
};
