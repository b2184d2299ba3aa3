/** Keeps everybody away from a server that has stopped answering, and asks it by itself until it answers again. */
import type { Clock, Timer } from '../kernel/clock.ts';

export interface CircuitParts {
  readonly clock: Clock;
  /** Asks the server for a sign of life; settles within the budget. */
  readonly probe: () => Promise<unknown>;
  /** The server has not answered for a second: what is connected to it may be beyond repair. */
  readonly reconnect: () => void;
  /** Told of each failure, before anything comes of it. */
  readonly failed: (error: Error) => void;
  readonly changed: () => void;
}

/** Fewer could be a pause of our own event loop. */
const FAILURES = 3;
const PROBE_MS = 100;
/** Two in a row, so that a server that answers every other time stays out. */
const SUCCESSES = 2;
const RECONNECT_EVERY = 10;

export class Circuit {
  readonly #parts: CircuitParts;
  #failures = 0;
  #successes = 0;
  #probes = 0;
  #timer: Timer | null = null;

  constructor(parts: CircuitParts) {
    this.#parts = parts;
  }

  /** True while nobody should ask. */
  get open(): boolean {
    return this.#timer !== null;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(error: Error): void {
    this.#parts.failed(error);
    if (this.open || ++this.#failures < FAILURES) return;
    this.#successes = 0;
    this.#probes = 0;
    this.#timer = this.#parts.clock.every(PROBE_MS, () => this.#probe());
    this.#parts.changed();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #probe(): void {
    if (++this.#probes % RECONNECT_EVERY === 0) this.#parts.reconnect();
    this.#parts.probe().then(
      () => this.#alive(),
      () => {
        this.#successes = 0;
      },
    );
  }

  #alive(): void {
    if (!this.open || ++this.#successes < SUCCESSES) return;
    this.close();
    this.#failures = 0;
    this.#parts.changed();
  }
}
