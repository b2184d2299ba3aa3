/** Keeps retries a small part of the requests, so that they never become the load that breaks an upstream. */
import type { Clock } from '../kernel/clock.ts';

const WINDOW_SECONDS = 10;
/** Retries that are always allowed in a second, so that a quiet upstream has some too. */
const MIN_PER_SECOND = 3;

export class RetryBudget {
  /** Retries as a part of requests, 0 to 1. */
  ratio: number;
  /** Retries since the start. */
  retries = 0;
  /** Retries since the start that there was no room for. */
  refused = 0;
  readonly #clock: Clock;
  readonly #requests = new Float64Array(WINDOW_SECONDS);
  readonly #retries = new Float64Array(WINDOW_SECONDS);
  #requestSum = 0;
  #retrySum = 0;
  #second: number;

  constructor(ratio: number, clock: Clock) {
    this.ratio = ratio;
    this.#clock = clock;
    this.#second = Math.floor(clock.nowMs() / 1000);
  }

  /** Counts a new call. */
  request(): void {
    this.#requests[this.#turn()]! += 1;
    this.#requestSum++;
  }

  /** Counts a retry that needs no leave, since it adds no load. */
  record(): void {
    this.#count(this.#turn());
  }

  /** Asks for a retry and counts it from now on, before any back-off; false means: no more now. */
  take(): boolean {
    const at = this.#turn();
    if (this.#retrySum + 1 > this.#requestSum * this.ratio && this.#retries[at]! >= MIN_PER_SECOND) {
      this.refused++;
      return false;
    }
    this.#count(at);
    return true;
  }

  #count(at: number): void {
    this.#retries[at]! += 1;
    this.#retrySum++;
    this.retries++;
  }

  /** Empties the seconds that have passed out of the window; gives the place of the present one. */
  #turn(): number {
    const second = Math.floor(this.#clock.nowMs() / 1000);
    const passed = Math.min(second - this.#second, WINDOW_SECONDS);
    for (let step = 1; step <= passed; step++) {
      const at = (this.#second + step) % WINDOW_SECONDS;
      this.#requestSum -= this.#requests[at]!;
      this.#retrySum -= this.#retries[at]!;
      this.#requests[at] = 0;
      this.#retries[at] = 0;
    }
    if (passed > 0) this.#second = second;
    return this.#second % WINDOW_SECONDS;
  }
}
