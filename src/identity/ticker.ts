/** Pairs of millisecond and sequence that only ever grow, though the wall clock may jump. */
import type { Clock } from '../kernel/clock.ts';
import type { ReadinessHooks, StopReason } from './id-generator.ts';

export interface TickerOptions extends ReadinessHooks {
  readonly clock: Clock;
  readonly epochMs: number;
  /** Greatest millisecond since the epoch. */
  readonly lastMs: number;
  /** Greatest sequence within a millisecond. */
  readonly lastSequence: number;
  /** How far the IDs may run ahead of the clock: after it went back, and by borrowing. */
  readonly maxBackMs: number;
}

/**
 * A clock that went back is ridden out by staying in the last millisecond; a full millisecond borrows the next.
 * Both run ahead of the clock, so one bound holds for their sum; past it nothing is given until the clock has
 * caught up.
 */
export class Ticker {
  /** Since the epoch. */
  ms = -1;
  sequence = 0;
  readonly #options: TickerOptions;
  #stopped = false;

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  /** Moves on to the next pair; false, with nothing moved, while not ready. */
  step(): boolean {
    const { clock, epochMs, lastMs, lastSequence, maxBackMs } = this.#options;
    const now = clock.wallMs() - epochMs;
    if (now > this.ms) {
      if (now > lastMs) return this.#stop('exhausted', 0);
      this.ms = now;
      this.sequence = 0;
      if (this.#stopped) this.#resume();
      return true;
    }
    const aheadMs = this.ms - now;
    if (now < 0) return this.#stop('before-epoch', -now);
    if (this.#stopped) {
      if (aheadMs > 0) return false;
      this.#resume();
    }
    if (aheadMs > maxBackMs) return this.#stop('clock-back', aheadMs);
    if (this.sequence < lastSequence) {
      this.sequence++;
      return true;
    }
    if (this.ms >= lastMs) return this.#stop('exhausted', 0);
    if (aheadMs >= maxBackMs) return this.#stop('overflow', aheadMs);
    this.ms++;
    this.sequence = 0;
    return true;
  }

  /** Whether `step` would do; asks the clock, since without requests nobody steps. */
  get ready(): boolean {
    const { clock, epochMs, lastMs, maxBackMs } = this.#options;
    const now = clock.wallMs() - epochMs;
    return now >= 0 && now <= lastMs && this.ms - now <= (this.#stopped ? 0 : maxBackMs);
  }

  #stop(reason: StopReason, waitMs: number): false {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#options.onNotReady?.({ reason, waitMs });
    }
    return false;
  }

  #resume(): void {
    this.#stopped = false;
    this.#options.onReady?.();
  }
}
