/** A request body that is copied as it flows; the copy never holds the original up. */
import type { GatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import { PassingSink } from '../wire/passing-sink.ts';

/** Copied at most of one body: a larger one is not worth its memory. */
export const MOST_COPIED_BYTES = 65_536;

/** Told what flows past. */
export interface BodyCopy {
  add(chunk: Uint8Array): void;
  /** All of it has passed. */
  complete(): void;
  /** The rest will not come. Idempotent. */
  drop(): void;
}

class TeeSink extends PassingSink {
  readonly #copy: BodyCopy;

  constructor(next: Sink, copy: BodyCopy) {
    super(next);
    this.#copy = copy;
  }

  override write(chunk: Uint8Array): boolean {
    const goesOn = super.write(chunk);
    this.#copy.add(chunk);
    return goesOn;
  }

  override end(trailers: Fields | null): void {
    super.end(trailers);
    this.#copy.complete();
  }

  override fail(error: GatewayError): void {
    super.fail(error);
    this.#copy.drop();
  }
}

export class TeeBody implements Body {
  readonly length: number | null;
  readonly #source: Body;
  readonly #copy: BodyCopy;

  constructor(source: Body, copy: BodyCopy) {
    this.length = source.length;
    this.#source = source;
    this.#copy = copy;
  }

  read(into: Sink): void {
    this.#source.read(new TeeSink(into, this.#copy));
  }

  cancel(why: GatewayError): void {
    this.#source.cancel(why);
    this.#copy.drop();
  }
}
