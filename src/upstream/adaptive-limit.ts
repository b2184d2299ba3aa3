/** Finds how many calls an upstream carries before they only wait in it: a limit that follows latency. */
import type { AdaptiveOptions } from '../config/resilience-options.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';

/** A window is judged when it has lasted so long, and twice the latency, and has so many samples. */
const WINDOW_MS = 200;
const MIN_SAMPLES = 20;
/** Kept of a window; those after them are as good as these. */
const MAX_SAMPLES = 256;
/** In one window the limit becomes half of what it was at the least. */
const LEAST_GRADIENT = 0.5;
/** The limit is raised only where this part of it was used. */
const USED = 0.8;
/** How often the latency without load is looked for anew: services change, and under load it cannot be seen. */
const REMEASURE_MS = 30_000;
/** The part of the limit that holds meanwhile; the first window lets the calls before it end. */
const DIP = 0.5;
const DIP_WINDOWS = 2;

export class AdaptiveLimit {
  readonly options: AdaptiveOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #samples = new Float64Array(MAX_SAMPLES);
  #count = 0;
  #windowMs = WINDOW_MS;
  #startMs: number;
  /** Most calls at once in this window. */
  #peak = 0;
  #limit: number;
  /** Latency without load: the least median of this stretch and of the one before. */
  #leastNow = Number.POSITIVE_INFINITY;
  #leastBefore = Number.POSITIVE_INFINITY;
  #remeasureMs: number;
  /** True when the limit held calls back since the last look for the latency without load. */
  #pressed = false;
  /** Windows of a dip that are left. */
  #dipping = 0;

  constructor(options: AdaptiveOptions, { clock, random }: { clock: Clock; random: Random }) {
    this.options = options;
    // From below, so that the first windows show the latency without load; it grows by its square root in each.
    this.#limit = options.min;
    this.#clock = clock;
    this.#random = random;
    this.#startMs = clock.nowMs();
    this.#remeasureMs = this.#startMs + REMEASURE_MS;
  }

  /** Calls that may be under way now. */
  get limit(): number {
    const limit = this.#dipping > 0 ? this.#limit * DIP : this.#limit;
    return Math.max(this.options.min, Math.floor(limit));
  }

  /** @param taken calls under way, with the one that begins */
  took(taken: number): void {
    if (taken > this.#peak) this.#peak = taken;
  }

  /** @param tookMs from the end of a request to the head of its answer, or until that was no longer waited for */
  sample(tookMs: number): void {
    if (this.#count < MAX_SAMPLES) this.#samples[this.#count] = tookMs;
    this.#count++;
    if (this.#count < MIN_SAMPLES) return;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#startMs >= this.#windowMs) this.#judge(nowMs);
  }

  #judge(nowMs: number): void {
    const kept = this.#samples.subarray(0, Math.min(this.#count, MAX_SAMPLES)).sort();
    const medianMs = kept[kept.length >> 1]!;
    const pressed = this.#peak >= this.limit * USED;
    const settling = this.#dipping === DIP_WINDOWS;
    if (this.#dipping > 0) this.#dipping--;
    else this.#adjust(medianMs, pressed);
    if (!settling) this.#leastNow = Math.min(this.#leastNow, medianMs);
    if (nowMs >= this.#remeasureMs) this.#remeasure(nowMs);
    this.#count = 0;
    this.#peak = 0;
    this.#startMs = nowMs;
    this.#windowMs = Math.max(WINDOW_MS, 2 * medianMs);
  }

  #adjust(medianMs: number, pressed: boolean): void {
    const { tolerance, min } = this.options;
    this.#pressed ||= pressed;
    const leastMs = Math.min(this.#leastNow, this.#leastBefore, medianMs);
    // Below a millisecond the clock and the event loop say more than the service.
    const gradient = (Math.max(1, leastMs) * (1 + tolerance)) / Math.max(1, medianMs);
    const next = this.#limit * Math.max(LEAST_GRADIENT, Math.min(1, gradient)) + Math.sqrt(this.#limit);
    if (next < this.#limit || pressed) this.#limit = Math.max(min, next);
  }

  #remeasure(nowMs: number): void {
    this.#leastBefore = this.#leastNow;
    this.#leastNow = Number.POSITIVE_INFINITY;
    // Without pressure the calls of these seconds have shown it already.
    if (this.#pressed) this.#dipping = DIP_WINDOWS;
    this.#pressed = false;
    // Not all gateways of a fleet at the same moment.
    this.#remeasureMs = nowMs + REMEASURE_MS * (0.85 + 0.3 * this.#random.next());
  }
}
