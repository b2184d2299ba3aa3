/** Counts the processes that use one Redis: each says every few seconds that it is there. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { RedisClient } from './redis-options.ts';

const BEAT_MS = 2000;
/** Who has missed two beats is gone. */
const GONE_MS = 3 * BEAT_MS;

/** By the clock of Redis, so that no two clocks are compared. KEYS: the set. ARGV: who, and milliseconds until gone. */
const BEAT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`;

export interface CensusParts {
  readonly client: RedisClient;
  readonly clock: Clock;
  /** The set's key. */
  readonly key: string;
  /** Who we are; different in every process. */
  readonly id: string;
  /** Waits within the budget. */
  readonly within: <T>(work: Promise<T>) => Promise<T>;
  /** False while it is pointless to ask. */
  readonly up: () => boolean;
}

export class Census {
  readonly #parts: CensusParts;
  readonly #timer: Timer;
  #count = 1;

  constructor(parts: CensusParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(BEAT_MS, () => this.beat());
  }

  /** As last counted, ourselves included; at least 1. */
  get count(): number {
    return this.#count;
  }

  /** Says that we are there and counts. */
  beat(): void {
    const { client, key, id, up, within } = this.#parts;
    if (!up()) return;
    within(client.eval(BEAT, 1, key, id, GONE_MS)).then(
      (count) => {
        this.#count = Math.max(1, Number(count));
      },
      // The circuit has seen the failure; the last count is the best there is.
      () => undefined,
    );
  }

  /** Says that we are gone. */
  async leave(): Promise<void> {
    const { client, key, id, up, within } = this.#parts;
    this.#timer.cancel();
    if (up()) await within(client.zrem(key, id)).catch(() => undefined);
  }
}
