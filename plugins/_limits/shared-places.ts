/** Places that several gateways share in Redis: each is a lease that ends by itself when its gateway is gone. */
import type { Cluster, Redis } from 'ioredis';
import type { Clock, Random, RedisLink } from 'snowgate/plugin';

/** How long a place outlives a gateway that was killed. */
const LEASE_MS = 10_000;
const RENEW_MS = LEASE_MS / 3;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** KEYS: the set. ARGV: the request, the limit, how long it stays. Gives 1 for a place. */
const ENTER = `${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`;

/** KEYS: the set. ARGV: how long they stay, then the requests that are still there. */
const STAY = `${NOW}
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`;

interface Commands {
  snowgateEnter(key: string, member: string, limit: number, leaseMs: number): Promise<number>;
  snowgateStay(key: string, leaseMs: number, ...members: string[]): Promise<null>;
}

type Client = (Redis | Cluster) & Commands;

const teach = (client: RedisLink['client']): Client => {
  if (!('snowgateEnter' in client)) {
    client.defineCommand('snowgateEnter', { numberOfKeys: 1, lua: ENTER });
    client.defineCommand('snowgateStay', { numberOfKeys: 1, lua: STAY });
  }
  return client as unknown as Client;
};

export interface SharedPlacesParts {
  readonly link: RedisLink;
  readonly clock: Clock;
  readonly random: Random;
}

export class SharedPlaces {
  readonly #link: RedisLink;
  readonly #client: Client;
  readonly #id: string;
  readonly #renewing: { cancel(): void };
  /** The requests of this gateway that hold a place, by key. */
  readonly #held = new Map<string, Set<string>>();
  #count = 0;

  constructor({ link, clock, random }: SharedPlacesParts) {
    this.#link = link;
    this.#client = teach(link.client);
    this.#id = Buffer.from(random.bytes(8)).toString('base64url');
    this.#renewing = clock.every(RENEW_MS, () => this.#renew());
  }

  /**
   * Takes a place; gives its name, or null when all are taken.
   * @throws Error when Redis gave no answer in time; a place that it took all the same ends by itself
   */
  async enter(key: string, limit: number): Promise<string | null> {
    const member = `${this.#id}:${this.#count++}`;
    const answer = await this.#link.within(key, this.#client.snowgateEnter(key, member, limit, LEASE_MS));
    if (answer !== 1) return null;
    const members = this.#held.get(key);
    if (members === undefined) this.#held.set(key, new Set([member]));
    else members.add(member);
    return member;
  }

  leave(key: string, member: string): void {
    const members = this.#held.get(key);
    members?.delete(member);
    if (members?.size === 0) this.#held.delete(key);
    if (!this.#link.up(key)) return;
    // A place that cannot be given back ends by itself.
    this.#link.within(key, this.#client.zrem(key, member)).catch(() => undefined);
  }

  close(): void {
    this.#renewing.cancel();
  }

  #renew(): void {
    for (const [key, members] of this.#held) {
      if (!this.#link.up(key)) continue;
      // The next round comes before any of them ends.
      this.#link.within(key, this.#client.snowgateStay(key, LEASE_MS, ...members)).catch(() => undefined);
    }
  }
}
