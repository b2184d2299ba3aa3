/** When another try is safe and wanted, and how long to wait before it. */
import type { Upstream } from '../config/types.ts';
import type { GatewayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';

const FIRST_BACK_OFF_MS = 25;
const MAX_BACK_OFF_MS = 250;

/**
 * An idle connection that the upstream closed before the request came breaks within a round trip. Broken later,
 * the upstream may have been at work on the request.
 */
const STALE_MS = 1000;

/** Methods whose repetition does no harm (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** The retry options of an upstream, ready for use. */
export class RetryPolicy {
  /** All tries, the first included. */
  readonly attempts: number;
  readonly #connect: boolean;
  readonly #reset: boolean;
  readonly #timeout: boolean;
  /** Null when no status is tried again: the common answer costs no look-up. */
  readonly #statuses: ReadonlySet<number> | null;

  constructor(retry: Upstream['retry']) {
    const statuses = retry.on.filter((cause) => typeof cause === 'number');
    this.attempts = retry.attempts;
    this.#connect = retry.on.includes('connect');
    this.#reset = retry.on.includes('reset');
    this.#timeout = retry.on.includes('timeout');
    this.#statuses = statuses.length === 0 ? null : new Set(statuses);
  }

  /**
   * True when a request of this method may be tried again after the error, if its body can be sent again.
   * @param tookMs from the start of the attempt to its failure
   */
  permits(error: GatewayError, method: string, tookMs: number): boolean {
    switch (error.retry) {
      case 'unsent':
        return this.#connect;
      case 'reused':
        return tookMs <= STALE_MS || IDEMPOTENT.has(method);
      case 'idempotent':
        return this.#wants(error) && IDEMPOTENT.has(method);
      case 'never':
        return false;
    }
  }

  /** True when an answer of this status may be thrown away for another try. */
  permitsStatus(status: number, method: string): boolean {
    return this.#statuses?.has(status) === true && IDEMPOTENT.has(method);
  }

  #wants(error: GatewayError): boolean {
    return error.code === 'GW_UPSTREAM_TIMEOUT' ? this.#timeout : this.#reset;
  }
}

/**
 * Milliseconds to wait before an endpoint is tried again: full jitter, so that those who failed together do not
 * come back together.
 * @param before how many waits this call has had already
 */
export function backOffMs(before: number, random: Random): number {
  return random.next() * Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** before);
}
