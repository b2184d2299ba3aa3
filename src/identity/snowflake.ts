/** Snowflake IDs: 63 bits of milliseconds, datacenter, worker and sequence as one decimal number. */
import type { Clock } from '../kernel/clock.ts';
import type { IdGenerator, ReadinessHooks } from './id-generator.ts';
import { Ticker } from './ticker.ts';

export interface SnowflakeLayout {
  /** Milliseconds since 1970 at which the IDs begin. */
  readonly epochMs: number;
  /** Together at most 22, which leaves 41 bits of milliseconds: 69 years. */
  readonly bits: { readonly datacenter: number; readonly worker: number; readonly sequence: number };
}

export interface SnowflakeOptions extends SnowflakeLayout, ReadinessHooks {
  readonly clock: Clock;
  readonly datacenter: number;
  readonly worker: number;
  /** How far IDs may run ahead of the clock; 10 s unless said. */
  readonly maxBackMs?: number;
}

export interface SnowflakeGenerator extends IdGenerator {
  /** The same as `next`, as a number. */
  nextBigInt(): bigint | null;
}

export interface SnowflakeParts {
  /** Since 1970. */
  readonly timeMs: number;
  readonly datacenter: number;
  readonly worker: number;
  readonly sequence: number;
}

const DEFAULT_MAX_BACK_MS = 10_000;
const MOST_BITS = 22;
/** IDs are written as a head that holds for a millisecond and six digits that change. */
const TAIL = 1_000_000;
const THREE_DIGITS = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));
const LIMIT = 1n << 63n;

const checkWhole = (what: string, value: number, most: number): void => {
  if (!Number.isInteger(value) || value < 0 || value > most)
    throw new RangeError(`${what} is ${value}, but must be a whole number from 0 to ${most}`);
};

const checkLayout = ({ epochMs, bits }: SnowflakeLayout): void => {
  checkWhole('epoch', epochMs, Number.MAX_SAFE_INTEGER);
  // More sequence bits would carry out of the six digits more than once.
  checkWhole('bits.sequence', bits.sequence, 19);
  checkWhole('bits.datacenter', bits.datacenter, MOST_BITS);
  checkWhole('bits.worker', bits.worker, MOST_BITS);
  checkWhole('the sum of the bits', bits.datacenter + bits.worker + bits.sequence, MOST_BITS);
};

const shiftOf = ({ bits }: SnowflakeLayout): number => bits.datacenter + bits.worker + bits.sequence;

class Snowflake implements SnowflakeGenerator {
  readonly #ticker: Ticker;
  readonly #shift: bigint;
  readonly #node: bigint;
  #ms = -1;
  #base = 0n;
  #tail = 0;
  #head = '';
  #nextHead = '';

  constructor(options: SnowflakeOptions) {
    const { bits, datacenter, worker } = options;
    checkLayout(options);
    checkWhole('datacenter', datacenter, 2 ** bits.datacenter - 1);
    checkWhole('worker', worker, 2 ** bits.worker - 1);
    const shift = shiftOf(options);
    this.#shift = BigInt(shift);
    this.#node =
      (BigInt(datacenter) << BigInt(bits.worker + bits.sequence)) | (BigInt(worker) << BigInt(bits.sequence));
    this.#ticker = new Ticker({
      ...options,
      lastMs: Math.min(2 ** (63 - shift) - 1, Number.MAX_SAFE_INTEGER),
      lastSequence: 2 ** bits.sequence - 1,
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
    const tail = this.#tail + ticker.sequence;
    if (tail < TAIL) return write(this.#head, tail);
    return write(this.#nextHead, tail - TAIL);
  }

  nextBigInt(): bigint | null {
    const ticker = this.#ticker;
    if (!ticker.step()) return null;
    if (ticker.ms !== this.#ms) this.#enter(ticker.ms);
    return this.#base + BigInt(ticker.sequence);
  }

  /** Big arithmetic once a millisecond; each ID of it is then an addition of small numbers. */
  #enter(ms: number): void {
    this.#ms = ms;
    this.#base = (BigInt(ms) << this.#shift) | this.#node;
    const head = this.#base / BigInt(TAIL);
    this.#tail = Number(this.#base % BigInt(TAIL));
    this.#head = String(head);
    this.#nextHead = String(head + 1n);
  }
}

const write = (head: string, tail: number): string => {
  // Only within the first milliseconds of the epoch is there nothing before the six digits.
  if (head === '0') return String(tail);
  return `${head}${THREE_DIGITS[(tail / 1000) | 0]}${THREE_DIGITS[tail % 1000]}`;
};

/** Makes a generator. Throws a RangeError where the layout or a number doesn't fit. */
export function createSnowflake(options: SnowflakeOptions): SnowflakeGenerator {
  return new Snowflake(options);
}

/** Takes an ID apart; null where the text is no such ID. Throws a RangeError where the layout is none. */
export function decodeSnowflake(id: string, layout: SnowflakeLayout): SnowflakeParts | null {
  checkLayout(layout);
  if (!/^(?:0|[1-9]\d{0,18})$/.test(id)) return null;
  const value = BigInt(id);
  if (value >= LIMIT) return null;
  const { datacenter, worker, sequence } = layout.bits;
  const shift = shiftOf(layout);
  const low = Number(BigInt.asUintN(shift, value));
  return {
    timeMs: Number(value >> BigInt(shift)) + layout.epochMs,
    datacenter: Math.floor(low / 2 ** (worker + sequence)) % 2 ** datacenter,
    worker: Math.floor(low / 2 ** sequence) % 2 ** worker,
    sequence: low % 2 ** sequence,
  };
}
