/** The body of one request on its way in: flow, clocks, what is wrong with it, and what is left of it. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Carrier } from './carrier.ts';
import { CHUNKED, type Incoming } from './incoming.ts';
import { requestTrailers } from './trailers.ts';

/** A rest of a body up to this is read after an early answer, and the connection kept. */
const DRAIN_BYTES = 64 * 1024;
/** Chunked bodies of single bytes need six bytes each; a read from the socket brings up to 64 KiB at once. */
const FRAMING_RATIO = 16;
const FRAMING_BYTES = 128 * 1024;

export class RequestBody implements Body {
  readonly length: number | null;
  /** Why the body will never be whole; null while it may. */
  error: GatewayError | null = null;
  inBytes = 0;
  readonly #proceed: () => void;
  readonly #carrier: Carrier;
  readonly #req: Incoming;
  #into: Sink | null = null;
  #listening = false;
  #released = false;
  #wireStart = 0;

  /** @param proceed answers `Expect: 100-continue`, before the first read */
  constructor(carrier: Carrier, req: Incoming, proceed: () => void) {
    this.#carrier = carrier;
    this.#req = req;
    this.#proceed = proceed;
    this.length = req.bodyBytes === CHUNKED ? null : req.bodyBytes;
  }

  get complete(): boolean {
    return this.#req.complete;
  }

  read(into: Sink): void {
    if (this.error !== null || this.#released) {
      into.fail(this.error ?? gatewayError('GW_CLIENT_LEFT'));
      return;
    }
    this.#into = into;
    if (this.#req.expects) this.#proceed();
    this.#listen();
    this.#await();
  }

  cancel(_why: GatewayError): void {
    this.#into = null;
    if (!this.#listening || this.#req.complete || this.#released) return;
    this.#req.pause();
    this.#carrier.restBody();
  }

  /** The body is malformed or late: whoever reads it is told, and answers. */
  fail(error: GatewayError): void {
    if (this.error !== null) return;
    this.error = error;
    const into = this.#into;
    this.#into = null;
    into?.fail(error);
  }

  /** The exchange is over; what still comes is thrown away. */
  release(): void {
    this.#released = true;
    const into = this.#into;
    this.#into = null;
    this.#carrier.restBody();
    if (!this.#req.complete) this.#listen();
    into?.fail(this.error ?? gatewayError('GW_CLIENT_LEFT'));
  }

  /** Whether the rest is too much to read for a client that has its answer. */
  tooMuchLeft(): boolean {
    const req = this.#req;
    if (req.complete) return false;
    if (req.bodyBytes === CHUNKED) return true;
    // A client that still waits for 100 may send the body or the next request: there is no telling.
    if (req.expects && !this.#listening) return true;
    return req.bodyBytes - this.inBytes - req.readableLength > DRAIN_BYTES;
  }

  /** From the parser: bytes of the body. */
  chunk(bytes: Uint8Array): void {
    if (this.#released) return;
    this.inBytes += bytes.length;
    if (this.#req.bodyBytes === CHUNKED && this.#swollen()) {
      this.#carrier.bodyBroken(gatewayError('GW_BAD_REQUEST', 'too much chunk framing'));
      return;
    }
    const into = this.#into;
    if (into === null) return;
    if (into.write(bytes)) {
      this.#await();
      return;
    }
    this.#req.pause();
    this.#carrier.restBody();
    const resume = () => {
      if (this.#into !== into) return;
      this.#req.resume();
      this.#await();
    };
    into.ready = resume;
  }

  /** From the parser: the body is complete. */
  over(): void {
    if (this.#released) {
      this.#carrier.rested();
      return;
    }
    this.#carrier.restBody();
    const into = this.#into;
    if (into === null) return;
    const trailers = this.#req.rawTrailers;
    if (trailers.length > this.#carrier.settings.limits.headerCount * 2) {
      this.#carrier.bodyBroken(gatewayError('GW_HEADERS_TOO_LARGE', `${trailers.length / 2} trailer lines`));
      return;
    }
    this.#into = null;
    into.end(requestTrailers(trailers));
  }

  /** Chunk extensions cost the sender nothing and are thrown away: bounded in proportion to what they carry. */
  #swollen(): boolean {
    const wireBytes = this.#carrier.socket.bytesRead - this.#wireStart;
    return wireBytes > FRAMING_BYTES + this.inBytes * FRAMING_RATIO;
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#wireStart = this.#carrier.socket.bytesRead;
    this.#req.reader = this;
    this.#req.on('data', onData);
    this.#req.on('end', onEnd);
  }

  #await(): void {
    // The sink may have ended the exchange just now.
    if (this.#into !== null && !this.#req.complete)
      this.#carrier.awaitBody(this.#carrier.settings.timeouts.bodyIdleMs);
  }
}

function onData(this: Incoming, bytes: Uint8Array): void {
  this.reader?.chunk(bytes);
}

function onEnd(this: Incoming): void {
  this.reader?.over();
}
