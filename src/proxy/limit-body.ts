/** Counts a request body on its way and stops it at the limit. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import { PassingSink } from '../wire/passing-sink.ts';

/** The refusal of a body that is too large. */
export function tooLarge(limitBytes: number): GatewayError {
  return gatewayError('GW_BODY_TOO_LARGE', `more than ${limitBytes} bytes`);
}

/** Stands between a body and its reader; past the limit the source is stopped and the reader hears the failure. */
export class LimitSink extends PassingSink {
  readonly #source: Body;
  readonly #limitBytes: number;
  #leftBytes: number;
  #over = false;

  constructor(source: Body, next: Sink, limitBytes: number) {
    super(next);
    this.#source = source;
    this.#limitBytes = limitBytes;
    this.#leftBytes = limitBytes;
  }

  override write(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    this.#leftBytes -= chunk.byteLength;
    if (this.#leftBytes >= 0) return super.write(chunk);
    const error = tooLarge(this.#limitBytes);
    this.#over = true;
    this.#source.cancel(error);
    super.fail(error);
    return false;
  }

  override end(trailers: Fields | null): void {
    if (this.#over) return;
    this.#over = true;
    super.end(trailers);
  }

  override fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    super.fail(error);
  }
}

class LimitedBody implements Body {
  readonly length = null;
  readonly #source: Body;
  readonly #limitBytes: number;

  constructor(source: Body, limitBytes: number) {
    this.#source = source;
    this.#limitBytes = limitBytes;
  }

  read(into: Sink): void {
    this.#source.read(new LimitSink(this.#source, into, this.#limitBytes));
  }

  cancel(why: GatewayError): void {
    this.#source.cancel(why);
  }
}

/**
 * The body, cut at `limitBytes`: its reader's sink fails with GW_BODY_TOO_LARGE at the first chunk past it.
 * A body of known length comes back as it is, since its framing already holds it to that length.
 * @throws GatewayError GW_BODY_TOO_LARGE at once when the known length is past the limit
 */
export function limitBody(body: Body, limitBytes: number): Body {
  if (body.length === null) return new LimitedBody(body, limitBytes);
  if (body.length > limitBytes) throw tooLarge(limitBytes);
  return body;
}
