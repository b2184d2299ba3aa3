/** The instances of a push registry in Redis: what one gateway was told, all of them know. */
import { z } from 'zod';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { RedisLink } from '../plugin.ts';
import { storedEndpoint } from './snapshots.ts';

/** How often a gateway looks for what the others were told. */
const LOOK_MS = 500;
/** Longer than any TTL; afterwards Redis forgets a registry that nobody uses. */
const FORGET_MS = 2 * 86_400_000;

/**
 * Enters one instance, by Redis' own clock, and names a new version where that changes anything.
 * KEYS: instances by name, when each is forgotten, the version; ARGV: name, JSON, TTL, new version, FORGET_MS.
 */
const PUT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('SET', KEYS[3], ARGV[4])
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
`;

/**
 * Forgets the silent, and gives the version, with all instances where it is not the one that is known.
 * KEYS as above; ARGV: known version, new version.
 */
const LOOK = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)
for _, name in ipairs(gone) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
if #gone > 0 then redis.call('SET', KEYS[3], ARGV[2], 'KEEPTTL') end
local version = redis.call('GET', KEYS[3]) or ''
if version == ARGV[1] then return { version } end
return { version, redis.call('HVALS', KEYS[1]) }
`;

const shared = z.object({
  service: z.string(),
  endpoint: storedEndpoint,
  ttlMs: z.number(),
  draining: z.boolean(),
});

export type SharedInstance = z.output<typeof shared>;

const looked = z.union([z.tuple([z.string()]), z.tuple([z.string(), z.array(z.string())])]);

export interface PushShareParts {
  readonly redis: RedisLink;
  /** Of the registry. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  /** All instances, whenever they are others than before. */
  readonly found: (instances: readonly SharedInstance[]) => void;
  /** Redis cannot be asked; told again and again until `found` or `well`. */
  readonly failed: (error: Error) => void;
  /** Redis answers, with nothing new. */
  readonly well: () => void;
}

const nameOf = ({ service, endpoint }: SharedInstance): string => `${service}/${endpoint.id}`;

export class PushShare {
  readonly #parts: PushShareParts;
  readonly #keys: readonly [string, string, string];
  readonly #looking: Timer;
  /** Null: nothing is known, or what was written may not have arrived. */
  #version: string | null = null;
  #busy = false;
  #closed = false;

  constructor(parts: PushShareParts) {
    this.#parts = parts;
    // One slot of a Cluster.
    const base = `{${parts.redis.prefix}:push:${parts.name}}`;
    this.#keys = [`${base}:instances`, `${base}:due`, `${base}:version`];
    this.#looking = parts.clock.every(LOOK_MS, () => void this.look());
  }

  /** True while Redis can be relied on. */
  get up(): boolean {
    return this.#parts.redis.up(this.#keys[0]);
  }

  /** Tells the others. Never rejects: what does not arrive is told by the next heartbeat. */
  async put(instance: SharedInstance, ttlMs: number): Promise<void> {
    if (!this.up) return;
    const { client } = this.#parts.redis;
    const args = [
      nameOf(instance),
      JSON.stringify(instance),
      Math.ceil(ttlMs),
      this.#newVersion(),
      FORGET_MS,
    ];
    await this.#within(() => client.eval(PUT, this.#keys.length, ...this.#keys, ...args));
  }

  /** Asks once what is new. Never rejects. */
  async look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const answer = await this.#within(() => {
      const { client } = this.#parts.redis;
      return client.eval(LOOK, this.#keys.length, ...this.#keys, this.#version ?? '-', this.#newVersion());
    });
    this.#busy = false;
    if (this.#closed || answer === null) return;
    try {
      const [version, texts] = looked.parse(answer);
      this.#version = version;
      if (texts === undefined) this.#parts.well();
      else this.#parts.found(texts.map((text) => shared.parse(JSON.parse(text))));
    } catch (error) {
      this.#version = null;
      const [line] = (error as Error).message.split('\n');
      this.#parts.failed(new Error(`what stands in Redis cannot be read: ${line}`));
    }
  }

  close(): void {
    this.#closed = true;
    this.#looking.cancel();
  }

  #newVersion(): string {
    return Buffer.from(this.#parts.random.bytes(8)).toString('hex');
  }

  /** What a command gives; null, and told, where Redis does not answer. */
  async #within(command: () => Promise<unknown>): Promise<unknown> {
    const { redis, failed } = this.#parts;
    const [key] = this.#keys;
    try {
      if (!redis.up(key)) throw new Error('Redis cannot be used');
      return await redis.within(key, command());
    } catch (error) {
      if (!this.#closed) failed(error as Error);
      return null;
    }
  }
}
