/** What an attempt tells of its endpoint: to the balancer, to outlier ejection, to the limit that follows latency. */
import type { GatewayError } from '../kernel/errors.ts';
import { HUNG_MS } from '../upstream/outlier.ts';
import type { Slot } from '../upstream/slot.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ResponseHead } from '../wire/heads.ts';

export class Testimony {
  readonly #upstream: Upstream;
  #slot: Slot | null = null;
  /** The head was no failure, and nothing has been said of the rest. */
  #open = false;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /** Of this endpoint from now on. */
  of(slot: Slot): void {
    this.#slot = slot;
    this.#open = false;
  }

  /** @param waitedMs for the head, since the endpoint had the whole request; so for the others below */
  answered(head: ResponseHead, waitedMs: number): void {
    const slot = this.#slot!;
    const { outlier, places } = this.#upstream;
    if (slot.feedback !== null) slot.feedback.answered(waitedMs, head);
    if (outlier !== null) this.#open = outlier.answered(slot, head.status);
    // Errors come sooner, or later, than what they stand for would have; upgrades are no requests.
    if (head.status >= 200 && head.status < 500) places.limiter?.sample(waitedMs);
  }

  /** The answer is whole, or is one whose end may be hours away. */
  whole(): void {
    if (this.#open) this.#upstream.outlier?.whole(this.#slot!);
    this.#open = false;
  }

  /** The body broke off. */
  broke(error: GatewayError): void {
    this.#upstream.outlier?.failed(this.#slot!, error);
  }

  /** No head came. */
  failed(error: GatewayError, waitedMs: number, requestSent: boolean): void {
    const slot = this.#slot!;
    if (error.source === 'upstream') slot.feedback?.failed(waitedMs);
    if (error.code !== 'GW_TIMEOUT' || requestSent) this.#upstream.outlier?.failed(slot, error);
    if (error.code === 'GW_UPSTREAM_TIMEOUT') this.#upstream.places.limiter?.sample(waitedMs);
  }

  /** The caller gave up before the head. */
  abandoned(why: GatewayError, waitedMs: number, requestSent: boolean): void {
    const slot = this.#slot!;
    slot.feedback?.abandoned(waitedMs);
    const hung = why.code === 'GW_CLIENT_LEFT' && requestSent && waitedMs >= HUNG_MS;
    if (hung) this.#upstream.outlier?.hung(slot);
  }
}
