/** Where the tokens of a shared limit come from. */
import type { RedisLink } from 'snowgate/plugin';
import type { RedisLimiter } from './redis-limiter.ts';
import type { Decision } from './windows.ts';

export interface TokenSource {
  /**
   * Takes the tokens of one request; null when Redis cannot be asked, and a rejection when it did not answer.
   * A decision that is no promise is void after the next call.
   */
  take(key: string): Decision | Promise<Decision> | null;
  close(): void;
}

/** Asks Redis for each request. */
export class ExactSource implements TokenSource {
  readonly #link: RedisLink;
  readonly #limiter: RedisLimiter;
  readonly #cost: number;

  constructor(link: RedisLink, limiter: RedisLimiter, cost: number) {
    this.#link = link;
    this.#limiter = limiter;
    this.#cost = cost;
  }

  take(key: string): Promise<Decision> | null {
    return this.#link.up(key) ? this.#limiter.take(key, this.#cost, this.#cost) : null;
  }

  close(): void {}
}
