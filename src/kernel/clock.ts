/** Time as everything else sees it, so that tests can move it by hand. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall time in milliseconds since 1970; may jump. For IDs, logs and dates only. */
  wallMs(): number;
  /** Monotonic milliseconds with a fraction; for everything that measures or limits. */
  nowMs(): number;
  /** Calls once after `delayMs`. Never keeps the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls every `periodMs` until cancelled. Never keeps the process alive. */
  every(periodMs: number, run: () => void): Timer;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, run) {
    const timer = setInterval(run, periodMs);
    timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
};
