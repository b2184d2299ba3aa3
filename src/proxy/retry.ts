/** When another try is safe and wanted, and how long to wait before it. */
import type { Retry } from '../config/retry.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { type Fields, fieldText } from '../wire/fields.ts';
import type { RequestHead } from '../wire/heads.ts';

const FIRST_BACK_OFF_MS = 25;
const MAX_BACK_OFF_MS = 250;
/** Added at most to a wait that the upstream asked for, as a part of it. */
const WAIT_JITTER = 0.25;

/**
 * An idle connection that the upstream closed before the request came breaks within a round trip. Broken later,
 * the upstream may have been at work on the request.
 */
const STALE_MS = 1000;

/** Methods whose repetition does no harm (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/**
 * True when the upstream may have the request twice. With an `Idempotency-Key` that holds for POST and PATCH too
 * (draft-ietf-httpapi-idempotency-key-header): by it the upstream knows the second one again.
 */
export function isRepeatable({ method, fields }: RequestHead): boolean {
  if (IDEMPOTENT.has(method)) return true;
  return (method === 'POST' || method === 'PATCH') && fields['idempotency-key'] !== undefined;
}

/** The retry options of an upstream, ready for use. */
export class RetryPolicy {
  /** All tries, the first included. */
  readonly attempts: number;
  /** Infinity for no limit. */
  readonly perTryMs: number;
  readonly maxRetryAfterMs: number;
  /** Null: nothing is sent twice at a time. */
  readonly hedgeAfterMs: number | null;
  readonly #connect: boolean;
  readonly #reset: boolean;
  readonly #timeout: boolean;
  /** Null when no status is tried again: the common answer costs no look-up. */
  readonly #statuses: ReadonlySet<number> | null;

  constructor(retry: Retry) {
    const statuses = retry.on.filter((cause) => typeof cause === 'number');
    this.attempts = retry.attempts;
    this.perTryMs = retry.perTryMs ?? Number.POSITIVE_INFINITY;
    this.maxRetryAfterMs = retry.maxRetryAfterMs;
    this.hedgeAfterMs = retry.hedgeAfterMs;
    this.#connect = retry.on.includes('connect');
    this.#reset = retry.on.includes('reset');
    // A limit of a single try means nothing if the next one may not follow.
    this.#timeout = retry.on.includes('timeout') || retry.perTryMs !== null;
    this.#statuses = statuses.length === 0 ? null : new Set(statuses);
  }

  /**
   * True when the request may be tried again after the error, if its body can be sent again.
   * @param tookMs from the start of the attempt to its failure
   */
  permits(error: GatewayError, head: RequestHead, tookMs: number): boolean {
    switch (error.retry) {
      case 'unsent':
        return this.#connect;
      case 'reused':
        return tookMs <= STALE_MS || isRepeatable(head);
      case 'idempotent':
        return this.#wants(error) && isRepeatable(head);
      case 'never':
        return false;
    }
  }

  /** The failure of a try that had a limit of its own: to the try it was a deadline, to the call it is not. */
  ofOneTry(error: GatewayError): GatewayError {
    if (error.code !== 'GW_TIMEOUT' || this.perTryMs === Number.POSITIVE_INFINITY) return error;
    return gatewayError('GW_UPSTREAM_TIMEOUT', `${this.perTryMs} ms for one try, ${error.detail}`);
  }

  /** True when an answer of this status may be thrown away for another try. */
  permitsStatus(status: number, head: RequestHead): boolean {
    return this.#statuses?.has(status) === true && isRepeatable(head);
  }

  #wants(error: GatewayError): boolean {
    return error.code === 'GW_UPSTREAM_TIMEOUT' ? this.#timeout : this.#reset;
  }
}

class OneTry extends RetryPolicy {
  constructor() {
    super({ attempts: 1, on: [], budget: 0, perTryMs: null, hedgeAfterMs: null, maxRetryAfterMs: 0 });
  }

  override permits(): boolean {
    return false;
  }
}

/** Nothing is tried again, not even on a connection that proves stale. */
export const ONE_TRY: RetryPolicy = new OneTry();

/** What a pause depends on. */
export interface PauseBefore {
  /** Another endpoint is next, or another connection in place of a stale one: no pause by itself. */
  readonly elsewhere: boolean;
  /** How long the upstream wants to be left alone; 0 when it says nothing. */
  readonly askedMs: number;
  /** How many pauses this call has had already. */
  readonly before: number;
}

/**
 * Milliseconds to wait before the next try. A wait that the upstream asked for is never cut short, whichever
 * endpoint is next, since it speaks for the service; it is spread a little. Else it is back-off with full jitter.
 * Both, so that those who failed together do not come back together.
 */
export function pauseMs({ elsewhere, askedMs, before }: PauseBefore, random: Random): number {
  if (askedMs > 0) return askedMs * (1 + WAIT_JITTER * random.next());
  return elsewhere ? 0 : random.next() * Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** before);
}

/** The one form of a date that a sender may use (RFC 9110 section 5.6.7). */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Milliseconds that `Retry-After` asks for, whether in seconds or as a date (RFC 9110 section 10.2.3); 0 when it
 * asks for nothing or is malformed.
 * @param wallMs the time now
 */
export function retryAfterMs(fields: Fields, wallMs: number): number {
  const text = fieldText(fields, 'retry-after');
  if (text === undefined) return 0;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  return HTTP_DATE.test(text) ? Math.max(0, Date.parse(text) - wallMs) : 0;
}
