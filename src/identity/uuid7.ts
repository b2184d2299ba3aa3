/** UUIDs of version 7 (RFC 9562): milliseconds, a counter, and 62 random bits. */
import type { Clock } from '../kernel/clock.ts';
import type { IdGenerator, ReadinessHooks } from './id-generator.ts';
import type { RandomHex } from './random-hex.ts';
import { Ticker } from './ticker.ts';

export interface Uuid7Options extends ReadinessHooks {
  readonly clock: Clock;
  readonly randomHex: RandomHex;
  /** How far IDs may run ahead of the clock; 10 s unless said. */
  readonly maxBackMs?: number;
}

const DEFAULT_MAX_BACK_MS = 10_000;
const THREE_DIGITS = Array.from({ length: 4096 }, (_, value) => value.toString(16).padStart(3, '0'));
/** The two highest bits of the digit are 10 (section 4.1). */
const VARIANT = Array.from({ length: 16 }, (_, value) => (8 | (value & 3)).toString(16));

class Uuid7 implements IdGenerator {
  readonly #ticker: Ticker;
  readonly #randomHex: RandomHex;
  #ms = -1;
  #head = '';

  constructor(options: Uuid7Options) {
    this.#randomHex = options.randomHex;
    // The counter of section 6.2, method 1, in the 12 bits of rand_a.
    this.#ticker = new Ticker({
      ...options,
      epochMs: 0,
      lastMs: 2 ** 48 - 1,
      lastSequence: 4095,
      maxBackMs: options.maxBackMs ?? DEFAULT_MAX_BACK_MS,
    });
  }

  get ready(): boolean {
    return this.#ticker.ready;
  }

  next(): string | null {
    const ticker = this.#ticker;
    if (!ticker.step()) return null;
    if (ticker.ms !== this.#ms) this.#enter(ticker.ms);
    const random = this.#randomHex();
    const variant = VARIANT[Number.parseInt(random[0]!, 16)];
    return `${this.#head}${THREE_DIGITS[ticker.sequence]}-${variant}${random.slice(1, 4)}-${random.slice(4)}`;
  }

  #enter(ms: number): void {
    this.#ms = ms;
    const time = ms.toString(16).padStart(12, '0');
    this.#head = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  }
}

/** Makes a generator whose UUIDs grow in the order of their text. */
export function createUuid7(options: Uuid7Options): IdGenerator {
  return new Uuid7(options);
}
