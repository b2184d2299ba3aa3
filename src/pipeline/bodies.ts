/** Bodies that the exchange needs: collected whole, replayed from memory, or led through stages. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink, Stage } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import { PassingSink } from '../wire/passing-sink.ts';

/** Collects a body; the flow stops at the limit. */
class Collector implements Sink {
  ready: (() => void) | null = null;
  readonly #body: Body;
  readonly #limitBytes: number;
  readonly #resolve: (bytes: Uint8Array) => void;
  readonly #reject: (error: GatewayError) => void;
  readonly #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  constructor(
    body: Body,
    limitBytes: number,
    settle: { resolve: (bytes: Uint8Array) => void; reject: (error: GatewayError) => void },
  ) {
    this.#body = body;
    this.#limitBytes = limitBytes;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
  }

  write(chunk: Uint8Array): boolean {
    this.#sizeBytes += chunk.byteLength;
    if (this.#sizeBytes <= this.#limitBytes) {
      // A reader may reuse its buffer once `write` returns.
      this.#chunks.push(chunk.slice());
      return true;
    }
    const error = gatewayError('GW_BODY_TOO_LARGE', `more than ${this.#limitBytes} bytes`);
    this.#reject(error);
    this.#body.cancel(error);
    return false;
  }

  end(): void {
    const bytes = new Uint8Array(this.#sizeBytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    this.#resolve(bytes);
  }

  fail(error: GatewayError): void {
    this.#reject(error);
  }
}

/**
 * Reads a body whole into memory.
 * @throws GatewayError GW_BODY_TOO_LARGE past `limitBytes`, or what broke the body
 */
export function collectBody(body: Body, limitBytes: number): Promise<Uint8Array> {
  if (body.length !== null && body.length > limitBytes) {
    return Promise.reject(gatewayError('GW_BODY_TOO_LARGE', `more than ${limitBytes} bytes`));
  }
  return new Promise((resolve, reject) => body.read(new Collector(body, limitBytes, { resolve, reject })));
}

/** A body of bytes at hand, which can be read as often as wanted. */
class ReplayBody implements Body {
  readonly length: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.length = bytes.byteLength;
    this.#bytes = bytes;
  }

  read(into: Sink): void {
    if (this.#bytes.byteLength > 0) into.write(this.#bytes);
    into.end(null);
  }

  cancel(): void {
    // Given in one go: there is nothing left to stop.
  }
}

/** A body of bytes at hand, which can be read as often as wanted. */
export function replayBody(bytes: Uint8Array): Body {
  return new ReplayBody(bytes);
}

/** A body on its way through stages; its length is not known any more. */
class StagedBody implements Body {
  readonly length = null;
  readonly #source: Body;
  readonly #stages: readonly Stage[];

  constructor(source: Body, stages: readonly Stage[]) {
    this.#source = source;
    this.#stages = stages;
  }

  read(into: Sink): void {
    let sink = into;
    for (let at = this.#stages.length - 1; at >= 0; at--) sink = this.#stages[at]!(sink);
    this.#source.read(sink);
  }

  cancel(why: GatewayError): void {
    this.#source.cancel(why);
  }
}

/** The body led through the stages, the first one nearest to the source. */
export function stagedBody(source: Body, stages: readonly Stage[]): Body {
  return new StagedBody(source, stages);
}

/** Lets a body through without the trailers of some names. */
class TrailerFilter extends PassingSink {
  readonly #names: readonly string[];

  constructor(next: Sink, names: readonly string[]) {
    super(next);
    this.#names = names;
  }

  override end(trailers: Fields | null): void {
    if (trailers !== null) for (const name of this.#names) delete trailers[name];
    super.end(trailers);
  }
}

/** Takes trailers out of a body by their names, in small letters. */
export function withoutTrailers(names: readonly string[]): Stage {
  return (next) => new TrailerFilter(next, names);
}
