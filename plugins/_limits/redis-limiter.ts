/** Takes tokens from Redis through rate-limiter-flexible, with a token bucket in the place of its fixed window. */
import type { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RedisLink } from 'snowgate/plugin';
import { TAKE, windowArguments } from './take-script.ts';
import type { Decision, Window } from './windows.ts';

interface Taking extends Redis {
  snowgateTake(key: string, ...values: (string | number)[]): Promise<string>;
}

/** What the library gives, and what the script said. */
class Taken extends RateLimiterRes {
  readonly decision: Decision;

  constructor(decision: Decision, consumed: number) {
    super(decision.remaining, decision.waitUs / 1000, consumed);
    this.decision = decision;
  }
}

/** Reads what the script gives. */
const decisionOf = (reply: string): Decision => {
  const [granted, waitUs, tightest, remaining, resetUs, idleUs] = reply.split(' ');
  return {
    granted: Number(granted),
    waitUs: Number(waitUs),
    tightest: Number(tightest),
    remaining: Number(remaining),
    resetUs: Number(resetUs),
    idleUs: Number(idleUs),
  };
};

const granted = ({ decision }: Taken): Decision => decision;

/** The library rejects refusals too. */
const refused = (reason: unknown): Decision => {
  if (reason instanceof Taken) return reason.decision;
  throw reason;
};

/** A client that knows the script; the library's own, of another name, stays as it is. */
const teach = (client: RedisLink['client']): Taking => {
  if (!('snowgateTake' in client)) client.defineCommand('snowgateTake', { numberOfKeys: 1, lua: TAKE });
  return client as unknown as Taking;
};

/** One limit in Redis; keys are given whole. */
export class RedisLimiter extends RateLimiterRedis {
  /** The library's `consume` without the promises for its insurance. */
  declare _consume: (key: string, want: number, options: { least: number }) => Promise<Taken>;
  readonly #link: RedisLink;
  readonly #client: Taking;
  readonly #windows: readonly string[];

  constructor(link: RedisLink, windows: readonly Window[]) {
    // The library asks for these; the script has windows of its own.
    const [first] = windows;
    super({ storeClient: link.client, points: first!.limit, duration: 1, keyPrefix: '' });
    this.#link = link;
    this.#client = teach(link.client);
    this.#windows = windowArguments(windows);
  }

  /**
   * Takes `least` to `want` tokens, or none.
   * @throws Error when Redis gave no answer in time; whether it took them is then unknown
   */
  take(key: string, want: number, least: number): Promise<Decision> {
    return this._consume(key, want, { least }).then(granted, refused);
  }

  /** Gives tokens back that were not used. */
  async giveBack(key: string, tokens: number): Promise<void> {
    await this.reward(key, tokens);
  }

  /** What the library calls to change a key. */
  _upsert(
    key: string,
    want: number,
    _ms: number,
    _force: boolean,
    options: { least?: number },
  ): Promise<string> {
    const least = options.least ?? want;
    return this.#link.within(key, this.#client.snowgateTake(key, want, least, ...this.#windows));
  }

  /** What the library calls to read the answer: more consumed than there are points means refused. */
  _getRateLimiterRes(_key: string, want: number, reply: string): RateLimiterRes {
    const decision = decisionOf(reply);
    const isRefused = want > 0 && decision.granted === 0;
    return new Taken(decision, isRefused ? this.points + 1 : Math.max(0, this.points - decision.remaining));
  }
}
