/** Tokens that a gateway has taken from Redis in advance, so that most requests need not ask: `sync: leased`. */
import type { Clock, RedisLink } from 'snowgate/plugin';
import type { RedisLimiter } from './redis-limiter.ts';
import type { TokenSource } from './source.ts';
import { createStore, type Store } from './store.ts';
import type { Decision, Window } from './windows.ts';

/** Tokens that were not touched for this long go back; and a refusal is believed for as long. */
const LEASE_MS = 1000;
/** All gateways together hold at most this part of the smallest window. */
const HELD_PART = 0.25;

/** What this gateway holds of one bucket. */
class Lease {
  tokens = 0;
  /** How many to hold: doubled while they are used up, so that a rare client's are as exact as ever. */
  batch = 0;
  /** Requests that wait for tokens. */
  waiting = 0;
  usedMs = 0;
  /** Until then a refusal is believed without asking again. */
  refusedUntilMs = 0;
  /** When a request passes again, by the last refusal. */
  passesMs = 0;
  /** The last answer of Redis, and when it came. */
  last: Decision | null = null;
  lastMs = 0;
  fetching: Promise<void> | null = null;
}

export interface LeasesParts {
  readonly link: RedisLink;
  readonly limiter: RedisLimiter;
  readonly windows: readonly Window[];
  readonly cost: number;
  readonly clock: Clock;
  /** Buckets of which something is remembered, at most. */
  readonly keys: number;
}

/**
 * Spends only what Redis has given, so in no stretch of time do more requests pass than with `exact` and what was held
 * at its beginning: a quarter of the smallest window for all gateways together. As much may be kept from others, for at
 * most a second.
 */
export class Leases implements TokenSource {
  readonly #parts: LeasesParts;
  readonly #leases: Store<Lease>;
  /** Those that hold tokens. */
  readonly #holding = new Map<string, Lease>();
  readonly #smallest: number;
  readonly #sweeper: { cancel(): void };
  readonly #decision: Decision = { granted: 0, waitUs: 0, tightest: 0, remaining: 0, resetUs: 0, idleUs: 0 };

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.#leases = createStore(
      parts.keys,
      () => new Lease(),
      (key, lease) => this.#giveBack(key, lease),
    );
    this.#smallest = Math.min(...parts.windows.map((window) => window.limit));
    this.#sweeper = parts.clock.every(LEASE_MS, () => this.#sweep());
  }

  take(key: string): Decision | Promise<Decision> | null {
    const lease = this.#leases.of(key);
    const { cost, clock, link } = this.#parts;
    const nowMs = clock.nowMs();
    if (lease.tokens >= cost) {
      const decision = this.#spend(lease, nowMs);
      if (lease.tokens * 2 <= lease.batch && nowMs >= lease.refusedUntilMs && link.up(key))
        // Nobody waits for it; the circuit has seen a failure.
        this.#fetch(key, lease).catch(() => undefined);
      return decision;
    }
    if (nowMs < lease.refusedUntilMs) return this.#refuse(lease, nowMs);
    return link.up(key) ? this.#wait(key, lease) : null;
  }

  close(): void {
    this.#sweeper.cancel();
    for (const [key, lease] of this.#holding) this.#giveBack(key, lease);
  }

  async #wait(key: string, lease: Lease): Promise<Decision> {
    const { cost, clock } = this.#parts;
    lease.waiting++;
    try {
      // Others may have spent what came; each round serves somebody, or is a refusal for all.
      while (lease.tokens < cost) {
        if (clock.nowMs() < lease.refusedUntilMs) return { ...this.#refuse(lease, clock.nowMs()) };
        await this.#fetch(key, lease);
      }
      return { ...this.#spend(lease, clock.nowMs()) };
    } finally {
      lease.waiting--;
    }
  }

  /** One fetch at a time; those who come meanwhile share it. */
  #fetch(key: string, lease: Lease): Promise<void> {
    lease.fetching ??= this.#fetchNow(key, lease).finally(() => {
      lease.fetching = null;
    });
    return lease.fetching;
  }

  async #fetchNow(key: string, lease: Lease): Promise<void> {
    const { limiter, cost, clock, link } = this.#parts;
    const most = Math.max(cost, Math.floor((this.#smallest * HELD_PART) / link.nodes));
    lease.batch = Math.min(Math.max(cost, lease.batch * 2), most);
    // What others wait for is spent at once, so it is not held.
    const want = Math.max(cost, lease.batch - lease.tokens) + Math.max(0, lease.waiting - 1) * cost;
    const decision = await limiter.take(key, want, cost);
    const nowMs = clock.nowMs();
    lease.last = decision;
    lease.lastMs = nowMs;
    if (decision.granted === 0) {
      lease.passesMs = nowMs + decision.waitUs / 1000;
      lease.refusedUntilMs = Math.min(lease.passesMs, nowMs + LEASE_MS);
      return;
    }
    lease.tokens += decision.granted;
    lease.usedMs = nowMs;
    this.#holding.set(key, lease);
  }

  #spend(lease: Lease, nowMs: number): Decision {
    lease.tokens -= this.#parts.cost;
    lease.usedMs = nowMs;
    return this.#tell(lease, { granted: this.#parts.cost, waitUs: 0, nowMs });
  }

  #refuse(lease: Lease, nowMs: number): Decision {
    return this.#tell(lease, { granted: 0, waitUs: (lease.passesMs - nowMs) * 1000, nowMs });
  }

  #tell(
    lease: Lease,
    { granted, waitUs, nowMs }: { readonly granted: number; readonly waitUs: number; readonly nowMs: number },
  ): Decision {
    const { last } = lease;
    const agoUs = (nowMs - lease.lastMs) * 1000;
    const decision = this.#decision;
    decision.granted = granted;
    decision.waitUs = waitUs;
    decision.tightest = last!.tightest;
    decision.remaining = last!.remaining + lease.tokens;
    decision.resetUs = Math.max(0, last!.resetUs - agoUs);
    decision.idleUs = Math.max(0, last!.idleUs - agoUs);
    return decision;
  }

  #sweep(): void {
    const before = this.#parts.clock.nowMs() - LEASE_MS;
    for (const [key, lease] of this.#holding) {
      if (lease.tokens > 0 && lease.usedMs > before) continue;
      lease.batch = 0;
      this.#giveBack(key, lease);
    }
  }

  #giveBack(key: string, lease: Lease): void {
    const { tokens } = lease;
    lease.tokens = 0;
    this.#holding.delete(key);
    const { link, limiter } = this.#parts;
    // What cannot be given back comes back by time, as if it had been used.
    if (tokens > 0 && link.up(key)) limiter.giveBack(key, tokens).catch(() => undefined);
  }
}
