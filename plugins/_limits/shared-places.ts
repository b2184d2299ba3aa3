/** Places that several gateways share in Redis: each is a lease that ends by itself when its gateway is gone. */
import type { Cluster, Redis } from 'ioredis';
import type { Clock, Random, RedisLink } from 'snowgate/plugin';

/** How long a place outlives a gateway that was killed. */
const LEASE_MS = 10_000;
const RENEW_MS = LEASE_MS / 3;
/** How often places are given back that could not be while Redis was gone. */
const OWED_MS = 100;
/** How long a gateway that asked for its line counts as waiting: several of its questions. */
const LINE_MS = 250;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * KEYS: the set, and the gateways that have a line for it. ARGV: the request, the limit, how long it stays, the gateway
 * if it asks for its line or '', how long that counts. Gives 1 for a place, 0 for none, -1 when others wait as well.
 */
const ENTER = `${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1
end
if ARGV[4] == '' then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return redis.call('ZCARD', KEYS[2]) > 1 and -1 or 0
`;

/** KEYS: the set. ARGV: how long they stay, then the requests that are still there. */
const STAY = `${NOW}
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`;

interface Commands {
  snowgateEnter(...values: [set: string, line: string, ...rest: (string | number)[]]): Promise<1 | 0 | -1>;
  snowgateStay(key: string, leaseMs: number, ...members: string[]): Promise<null>;
}

type Client = (Redis | Cluster) & Commands;

const teach = (client: RedisLink['client']): Client => {
  if (!('snowgateEnter' in client)) {
    client.defineCommand('snowgateEnter', { numberOfKeys: 2, lua: ENTER });
    client.defineCommand('snowgateStay', { numberOfKeys: 1, lua: STAY });
  }
  return client as unknown as Client;
};

/** Places of one key that are free and that Redis does not know of yet. */
interface Debt {
  readonly members: string[];
  /** From then on the leases of all of them have ended. */
  untilMs: number;
}

export interface SharedPlacesParts {
  readonly link: RedisLink;
  readonly clock: Clock;
  readonly random: Random;
}

export class SharedPlaces {
  readonly #link: RedisLink;
  readonly #client: Client;
  readonly #id: string;
  readonly #clock: Clock;
  readonly #renewing: { cancel(): void };
  /** The requests of this gateway that hold a place, by key. */
  readonly #held = new Map<string, Set<string>>();
  /** By key; at most what was held when Redis went. */
  readonly #owed = new Map<string, Debt>();
  #paying: { cancel(): void } | null = null;
  #isClosed = false;
  #count = 0;

  constructor({ link, clock, random }: SharedPlacesParts) {
    this.#link = link;
    this.#clock = clock;
    this.#client = teach(link.client);
    this.#id = Buffer.from(random.bytes(8)).toString('base64url');
    this.#renewing = clock.every(RENEW_MS, () => this.#renew());
  }

  /**
   * Takes a place; gives its name, or null when all are taken.
   * @throws Error when Redis gave no answer in time; a place that it took all the same ends by itself
   */
  async enter(key: string, limit: number): Promise<string | null> {
    return (await this.#enter(key, limit, '')).member;
  }

  /** The same for a request in line; tells too whether other gateways have a line for these places. */
  enterFromLine(key: string, limit: number): Promise<{ member: string | null; isContested: boolean }> {
    return this.#enter(key, limit, this.#id);
  }

  async #enter(key: string, limit: number, waiter: string) {
    const member = `${this.#id}:${this.#count++}`;
    let answer: 1 | 0 | -1;
    try {
      answer = await this.#link.within(
        key,
        this.#client.snowgateEnter(key, `${key}:line`, member, limit, LEASE_MS, waiter, LINE_MS),
      );
    } catch (error) {
      // It may have been done all the same, or may yet be: a frozen Redis does it when it goes on.
      this.#giveBack(key, [member]);
      throw error;
    }
    if (answer !== 1) return { member: null, isContested: answer === -1 };
    const members = this.#held.get(key);
    if (members === undefined) this.#held.set(key, new Set([member]));
    else members.add(member);
    return { member, isContested: false };
  }

  leave(key: string, member: string): void {
    const members = this.#held.get(key);
    members?.delete(member);
    if (members?.size === 0) this.#held.delete(key);
    this.#giveBack(key, [member]);
  }

  /** What is still owed then ends by itself. */
  close(): void {
    this.#isClosed = true;
    this.#renewing.cancel();
    this.#paying?.cancel();
  }

  #giveBack(key: string, members: readonly string[]): void {
    if (!this.#link.up(key)) this.#owe(key, members);
    else this.#link.within(key, this.#client.zrem(key, ...members)).catch(() => this.#owe(key, members));
  }

  /** Redis is gone: they are given back when it is there again, as long as their leases may last. */
  #owe(key: string, members: readonly string[]): void {
    if (this.#isClosed) return;
    const untilMs = this.#clock.nowMs() + LEASE_MS;
    const debt = this.#owed.get(key);
    if (debt === undefined) this.#owed.set(key, { members: [...members], untilMs });
    else {
      debt.members.push(...members);
      debt.untilMs = untilMs;
    }
    this.#paying ??= this.#clock.every(OWED_MS, () => this.#pay());
  }

  #pay(): void {
    const nowMs = this.#clock.nowMs();
    for (const [key, { members, untilMs }] of this.#owed) {
      if (nowMs < untilMs && !this.#link.up(key)) continue;
      this.#owed.delete(key);
      if (nowMs < untilMs) this.#giveBack(key, members);
    }
    if (this.#owed.size > 0) return;
    this.#paying?.cancel();
    this.#paying = null;
  }

  #renew(): void {
    for (const [key, members] of this.#held) {
      if (!this.#link.up(key)) continue;
      // The next round comes before any of them ends.
      this.#link.within(key, this.#client.snowgateStay(key, LEASE_MS, ...members)).catch(() => undefined);
    }
  }
}
