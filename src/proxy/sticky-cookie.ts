/** The cookie by which a client comes back to the endpoint that served it before. */
import type { StickyConfig } from '../config/types.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ResponseHead } from '../wire/heads.ts';
import { cookieText } from '../wire/words.ts';

export class StickyCookie {
  readonly #name: string;
  readonly #attributes: string;
  readonly #upstream: Upstream;

  constructor({ cookie, ttlMs }: StickyConfig, upstream: Upstream) {
    this.#name = cookie;
    this.#attributes = `; Path=/; HttpOnly; SameSite=Lax${ttlMs === null ? '' : `; Max-Age=${Math.ceil(ttlMs / 1000)}`}`;
    this.#upstream = upstream;
  }

  /** What the client brought, or null. */
  read(x: LiveExchange): string | null {
    return cookieText(x.received.fields, this.#name) ?? null;
  }

  /** Gives the client a cookie for the endpoint that answered, unless it has that one already. */
  mark(x: LiveExchange, { status, fields }: ResponseHead): void {
    const answered = x.attempts.findLast((attempt) => attempt.status === status);
    const tag = answered === undefined ? null : this.#upstream.tagOf(answered.endpoint);
    if (tag === null || tag === this.read(x)) return;
    const secure = x.client.scheme === 'https' ? '; Secure' : '';
    const cookie = `${this.#name}=${tag}${this.#attributes}${secure}`;
    const others = fields['set-cookie'];
    fields['set-cookie'] = others === undefined ? cookie : [others, cookie].flat();
  }
}
