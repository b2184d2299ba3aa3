/** Reads away the answer of an attempt that is tried again, so that its connection can be used again. */
import { gatewayError } from '../kernel/errors.ts';
import type { Places } from '../upstream/places.ts';
import type { Slot } from '../upstream/slot.ts';
import type { Body, Sink } from '../wire/body.ts';

/** Past this a new connection is cheaper. */
const MAX_BYTES = 16_384;

export class Discard implements Sink {
  ready: (() => void) | null = null;
  readonly #body: Body;
  readonly #slot: Slot;
  readonly #places: Places;
  #leftBytes = MAX_BYTES;
  #settled = false;

  /** @param slot counts the attempt until its answer is out of the way */
  constructor(body: Body, slot: Slot, places: Places) {
    this.#body = body;
    this.#slot = slot;
    this.#places = places;
  }

  start(): void {
    if (this.#body.length !== null && this.#body.length > MAX_BYTES) this.#cut();
    else this.#body.read(this);
  }

  write(chunk: Uint8Array): boolean {
    this.#leftBytes -= chunk.byteLength;
    if (this.#leftBytes >= 0) return true;
    this.#cut();
    return false;
  }

  end(): void {
    this.#settle();
  }

  fail(): void {
    // The answer was not wanted; how it broke off says nothing about the next attempt.
    this.#settle();
  }

  #cut(): void {
    if (this.#settled) return;
    this.#settle();
    this.#body.cancel(gatewayError('GW_UPSTREAM_RESET', 'tried again elsewhere'));
  }

  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#places.free(this.#slot, false);
  }
}
