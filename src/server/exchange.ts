/** One request over HTTP/1: the Downstream and the sink of its answer, in one object. */
import { ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { atTurnEnd, type TurnEnd } from '../kernel/turn-end.ts';
import type { Sink } from '../wire/body.ts';
import type { Closing, Downstream } from '../wire/downstream.ts';
import { type Fields, isFieldValue } from '../wire/fields.ts';
import type { Peer, RequestHead, ResponseHead } from '../wire/heads.ts';
import type { Carrier } from './carrier.ts';
import type { Incoming } from './incoming.ts';
import { problemBody, problemHead } from './problem.ts';
import { replyFields } from './reply-head.ts';
import { RequestBody } from './request-body.ts';
import { responseTrailers } from './trailers.ts';

/** Up to this, copying the body behind the head costs less than a second buffer for the system. */
const JOINED_BYTES = 16 * 1024;
/** How long whoever serves may take to answer a request whose body has failed. */
const ANSWER_MS = 1000;

/** For answers that come too late. */
const NOWHERE: Sink = { write: () => true, end() {}, fail() {}, ready: null };

type Phase = 'open' | 'reply' | 'ended' | 'tunnel' | 'settled';

export class Http1Exchange implements Downstream, Sink, TurnEnd {
  readonly head: RequestHead;
  readonly version: '1.0' | '1.1';
  readonly peer: Peer;
  readonly upgrade: boolean;
  readonly body: RequestBody | null;
  traceId = '';
  closed: ((how: Closing, inBytes: number, outBytes: number) => void) | null = null;
  left: (() => void) | null = null;
  ready: (() => void) | null = null;

  readonly #connection: Carrier;
  readonly #req: Incoming;
  #res: ServerResponse | null;
  #phase: Phase = 'open';
  // The answer.
  #reply: ResponseHead | null = null;
  #headSent = false;
  #declared = -1;
  #bodiless = false;
  #close = false;
  #written = false;
  #outBytes = 0;
  /** The whole body of an early answer, until the end of this turn. */
  #held: Uint8Array | null = null;
  #heldEnd = false;
  #tunnelIn = 0;
  #tunnelOut = 0;

  constructor(connection: Carrier, req: Incoming, res: ServerResponse | null) {
    this.#connection = connection;
    this.#req = req;
    this.#res = res;
    this.head = req.head!;
    this.version = req.httpVersionMinor === 0 ? '1.0' : '1.1';
    this.peer = connection.peer;
    this.upgrade = req.handshake;
    this.body = req.hasBody ? new RequestBody(connection, req, () => this.#proceed()) : null;
  }

  /** True once the whole answer is on its way: a client may then close its side. */
  get answered(): boolean {
    return this.#phase === 'ended';
  }

  // --- Downstream ---

  inform(status: number, fields: Fields): void {
    if (this.#phase !== 'open' && (this.#phase !== 'reply' || this.#headSent || this.#held !== null)) return;
    // RFC 9110 section 15.2: never to HTTP/1.0. 100 and 101 are this listener's own to say.
    if (this.version === '1.0' || status < 102 || status > 199) return;
    const flat = replyFields(fields, INTERIM);
    try {
      this.#response().writeInformation(status, flat as never);
    } catch (error) {
      this.#connection.settings.refused(unsendable(error), this.peer, this.traceId);
    }
  }

  reply(head: ResponseHead, length: number | null): Sink {
    if (this.#phase === 'settled') return NOWHERE;
    if (this.#phase !== 'open') throw new Error('answered twice');
    this.#phase = 'reply';
    this.#reply = head;
    this.#bodiless = this.head.method === 'HEAD' || head.status === 204 || head.status === 304;
    this.#declared = length ?? -1;
    if (this.body !== null && this.body.error !== null) this.#connection.restBody();
    atTurnEnd(this);
    return this;
  }

  accept(head: ResponseHead): Duplex {
    if (!this.upgrade) throw new Error('not an upgrade');
    const socket = this.#connection.socket;
    if (this.#phase === 'settled') return socket;
    if (this.#phase !== 'open') throw new Error('answered twice');
    const flat = replyFields(head.fields, INTERIM);
    let text = `HTTP/1.1 101 ${STATUS_CODES[101]}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n`;
    for (let at = 0; at < flat.length; at += 2) {
      if (isFieldValue(flat[at + 1]!)) text += `${flat[at]}: ${flat[at + 1]}\r\n`;
    }
    text += '\r\n';
    this.#phase = 'tunnel';
    this.#tunnelIn = socket.bytesRead - socket.readableLength;
    this.#tunnelOut = socket.bytesWritten + text.length;
    this.#connection.tunnelled();
    socket.write(text, 'latin1');
    return socket;
  }

  abort(): void {
    this.#cut(true);
  }

  /** The body is malformed. False when it was already complete, so that the error belongs to what follows it. */
  bodyBroken(error: GatewayError): boolean {
    const { body } = this;
    if (body === null || body.complete) return false;
    this.#failBody(body, error);
    return true;
  }

  /** Whoever serves has thrown: answered where nothing was, else cut. */
  broken(error: GatewayError): void {
    if (this.#phase === 'open') this.#answer(error);
    else this.abort();
  }

  /** What came of the body is not acceptable, whether it is complete or not. */
  bodyFailed(error: GatewayError): void {
    if (this.body !== null) this.#failBody(this.body, error);
  }

  /** No byte has come for too long, or nobody has answered after that. */
  bodyStalled(): void {
    const { body } = this;
    if (body === null) return;
    if (body.error === null) this.#failBody(body, gatewayError('GW_REQUEST_TIMEOUT', 'the request body'));
    else if (this.#phase === 'open') this.#answer(body.error);
  }

  // --- the answer ---

  write(chunk: Uint8Array): boolean {
    if (this.#phase !== 'reply') return true;
    if (this.#bodiless || chunk.length === 0) return true;
    this.#outBytes += chunk.length;
    if (this.#declared !== -1) {
      if (this.#outBytes > this.#declared) {
        this.#cut(true);
        return true;
      }
      if (this.#outBytes === this.#declared) {
        if (this.#undecided() || this.#joins(chunk)) this.#held = chunk;
        else this.#last(chunk);
        return true;
      }
    }
    if (!this.#sendHead()) return true;
    if (this.#res!.write(chunk)) return true;
    this.#connection.awaitWrite();
    return false;
  }

  end(trailers: Fields | null): void {
    if (this.#phase !== 'reply') return;
    if (this.#declared !== -1 && !this.#bodiless && this.#outBytes !== this.#declared) {
      this.#cut(false);
      return;
    }
    if ((this.#bodiless || this.#declared === 0) && !this.#headSent) this.#held = EMPTY;
    if (this.#held !== null) {
      this.#heldEnd = true;
      return;
    }
    if (!this.#sendHead()) return;
    const res = this.#res!;
    this.#phase = 'ended';
    if (!this.#written) {
      if (trailers !== null && res.chunkedEncoding) {
        const pairs = responseTrailers(trailers);
        if (pairs !== null) res.addTrailers(pairs);
      }
      this.#written = true;
      res.end();
    }
    if (res.writableFinished) {
      this.#sent();
    } else {
      this.#connection.awaitWrite();
      res.once('finish', () => this.#sent());
    }
  }

  fail(_error: GatewayError): void {
    if (this.#phase !== 'reply') return;
    // Without a length and chunks the close itself is the end of the body: only a reset tells the truth.
    this.#cut(this.version === '1.0' || this.#written);
  }

  /** Sends an answer that is whole, and a head alone where an event stream, say, has no first bytes for now. */
  turnEnded(): void {
    if (this.#phase !== 'reply' || this.#headSent) return;
    const held = this.#held;
    if (held === null) {
      if (this.#sendHead()) this.#res!.flushHeaders();
      return;
    }
    this.#held = null;
    this.#last(held);
    if (this.#heldEnd) this.end(null);
  }

  drained(): void {
    if (this.#phase === 'reply') this.ready?.();
  }

  /** From the connection: it is no more, since the client has left or the listener has cut it. */
  gone(how: Closing): void {
    if (this.#phase === 'settled') return;
    if (this.#phase === 'tunnel') {
      const socket = this.#connection.socket;
      this.#outBytes = Math.max(0, socket.bytesWritten - this.#tunnelOut);
      this.#settle('sent', Math.max(0, socket.bytesRead - this.#tunnelIn));
      return;
    }
    // Settled first: whatever is still written goes nowhere, and is no second end.
    this.#phase = 'settled';
    this.left?.();
    this.#settle(how);
  }

  #failBody(body: RequestBody, error: GatewayError): void {
    if (body.error !== null) return;
    if (this.#phase === 'open') this.#connection.awaitBody(ANSWER_MS);
    body.fail(error);
  }

  /** Answers in the place of whoever should have. */
  #answer(error: GatewayError): void {
    const bytes = problemBody(error, this.traceId);
    const sink = this.reply(problemHead(error, this.traceId), bytes.length);
    sink.write(bytes);
    sink.end(null);
  }

  /** Answers `Expect: 100-continue`, unless the final answer has begun. */
  #proceed(): void {
    if (!this.#headSent && this.#phase !== 'settled') this.#res?.writeContinue();
  }

  #response(): ServerResponse {
    if (this.#res !== null) return this.#res;
    // node:http makes none for an upgrade.
    const res = new ServerResponse(this.#req);
    res.shouldKeepAlive = false;
    res.assignSocket(this.#connection.socket);
    this.#res = res;
    return res;
  }

  /** Prepares the head, once; false when it could not be sent and something else was. */
  #sendHead(): boolean {
    if (this.#headSent) return true;
    this.#headSent = true;
    const { status, fields } = this.#reply!;
    const res = this.#response();
    this.#close =
      this.#connection.settings.draining ||
      this.upgrade ||
      (this.body !== null && (this.body.error !== null || this.body.tooMuchLeft()));
    const bodiless = this.#bodiless;
    const chunked = !bodiless && this.#declared === -1 && this.version === '1.1';
    const length = this.#declared === -1 ? null : this.#declared;
    const framing = { length, bodiless, status, close: this.#close, chunked };
    try {
      res.writeHead(status, replyFields(fields, framing));
      if (!res.shouldKeepAlive) this.#close = true;
      if (!bodiless && !chunked && length === null) this.#close = true;
      if (this.#close) this.#connection.willClose();
      return true;
    } catch (error) {
      this.#unsendable(unsendable(error));
      return false;
    }
  }

  /** A head that could split the answer, or is no head at all, never leaves. */
  #unsendable(error: GatewayError): void {
    this.#connection.settings.refused(error, this.peer, this.traceId);
    this.#reply = problemHead(error, this.traceId);
    const bytes = problemBody(error, this.traceId);
    this.#res!.writeHead(
      error.status,
      replyFields(this.#reply.fields, {
        ...INTERIM,
        status: error.status,
        length: bytes.length,
        close: true,
      }),
    );
    // Whatever made that head may have left more behind.
    this.#close = true;
    this.#connection.willClose();
    this.#declared = bytes.length;
    this.#outBytes = bytes.length;
    this.#phase = 'reply';
    this.#written = true;
    this.#res!.end(bytes);
    this.end(null);
  }

  /**
   * Whether the parser may still be about to see the end of a chunked body that came with its head: what is left of
   * it decides about `connection: close`, so an answer given at once waits for the end of this turn.
   */
  #undecided(): boolean {
    return !this.#headSent && this.body !== null && this.body.length === null && !this.body.complete;
  }

  /** Whether the body is all there, and small enough to leave in one write with the head. */
  #joins(chunk: Uint8Array): boolean {
    return !this.#headSent && chunk.length <= JOINED_BYTES;
  }

  /** The last bytes of a body of known length: one write, with the head where it has not left. */
  #last(chunk: Uint8Array): void {
    const joins = this.#joins(chunk);
    if (!this.#sendHead()) return;
    this.#written = true;
    if (joins) {
      const bytes = Buffer.isBuffer(chunk)
        ? chunk
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this.#res!.end(bytes.toString('latin1'), 'latin1');
    } else {
      this.#res!.end(chunk);
    }
  }

  #sent(): void {
    if (this.#phase === 'settled') return;
    const keep = !this.#close;
    this.#settle('sent');
    this.#connection.finished(this.#req, keep);
  }

  #cut(reset: boolean): void {
    if (this.#phase === 'settled') return;
    this.#settle('cut');
    this.#connection.cut(reset);
  }

  #settle(how: Closing, inBytes = this.body?.inBytes ?? 0): void {
    this.#phase = 'settled';
    this.body?.release();
    this.closed?.(how, inBytes, this.#outBytes);
  }
}

const INTERIM = { length: null, bodiless: true, status: 204, close: false, chunked: false };
const EMPTY = new Uint8Array(0);

function unsendable(cause: unknown): GatewayError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return gatewayError('GW_UPSTREAM_PROTOCOL', `the answer cannot be sent: ${detail}`);
}
