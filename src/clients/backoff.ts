/** Waiting between tries: longer after each failure, and never in step with others. */
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';

export interface Backoff {
  /** Milliseconds to wait before the next try. */
  nextMs(): number;
  /** All is well again. */
  reset(): void;
}

const MOST_DOUBLINGS = 20;

/** Doubles from `firstMs` up to `lastMs`; each wait is half to all of that, by chance. */
export function createBackoff(random: Random, firstMs: number, lastMs: number): Backoff {
  let failures = 0;
  return {
    nextMs() {
      const ceiling = Math.min(lastMs, firstMs * 2 ** Math.min(failures, MOST_DOUBLINGS));
      failures++;
      return ceiling * (0.5 + 0.5 * random.next());
    },
    reset() {
      failures = 0;
    },
  };
}

/** Resolves after a time, or at once when the signal aborts; never rejects. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal.addEventListener('abort', done);
  });
}
