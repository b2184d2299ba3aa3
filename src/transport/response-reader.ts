/** Reads the answers on one connection: where heads, bodies, chunks and trailers begin and end. */
import { gatewayError } from '../kernel/errors.ts';
import type { Fields } from '../wire/fields.ts';
import { ResponseFields } from './response-fields.ts';
import { bodyLength, mayBecomeHead, type ParsedHead, parseHead, readLines } from './response-head.ts';

/** Who is told what was read; each call may pause or stop the reader. */
export interface Reading {
  informed(head: ParsedHead): void;
  /** @param length of the body; 0 when there is none, null when only its end will tell */
  headed(head: ParsedHead, length: number | null): void;
  /** A piece of the body, the receiver's to keep. */
  data(piece: Uint8Array): void;
  /** The answer is over and whole. */
  completed(trailers: Fields | null): void;
}

/** What the next byte belongs to. */
type State =
  | 'nothing'
  | 'head'
  | 'sized'
  | 'to-close'
  | 'chunk-size'
  | 'chunk'
  | 'chunk-end'
  | 'trailers'
  | 'end';

/** Of a chunk's size and its extensions, which nobody reads. */
const MAX_CHUNK_LINE = 256;
const CHUNK_LINE = /^([0-9a-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/i;
const MAX_INTERIM = 32;
/** More bytes are needed to go on. */
const WAIT = -1;

export class ResponseReader {
  paused = false;
  /** Bytes came that no call had asked for. */
  surplus = false;
  private readonly maxHeadBytes: number;
  private state: State = 'nothing';
  private to: Reading | null = null;
  private toHead = false;
  private interim = 0;
  /** Bytes that are still to come of a sized body or of a chunk. */
  private left = 0;
  /** The trailers of the answer. */
  private lastFields: Fields | null = null;
  /** What could not be read yet. */
  private rest: Buffer | null = null;
  private feeding = false;

  constructor(maxHeadBytes: number) {
    this.maxHeadBytes = maxHeadBytes;
  }

  /** False where whatever comes was not asked for. */
  get expecting(): boolean {
    return this.to !== null;
  }

  /**
   * A request leaves: the next bytes are the answer to it.
   * @param toHead the method is HEAD
   */
  expect(to: Reading, toHead: boolean): void {
    this.to = to;
    this.toHead = toHead;
    this.interim = 0;
    this.state = 'head';
  }

  /** Reads nothing more. */
  stop(): void {
    this.to = null;
    this.state = 'nothing';
    this.rest = null;
  }

  /**
   * Reads as far as it goes; nothing of `bytes` is kept.
   * @throws GatewayError GW_UPSTREAM_PROTOCOL, GW_UPSTREAM_HEADERS, and whatever the listener throws
   */
  feed(bytes: Buffer, end: number): void {
    const { rest } = this;
    if (rest !== null) {
      const piece = bytes.subarray(0, end);
      const whole = Buffer.concat([rest, piece]);
      if (this.unchanged(rest, piece, whole)) this.rest = whole;
      else this.runOn(whole);
    } else {
      const read = this.run(bytes, end);
      if (this.waits && read < end) this.rest = Buffer.from(bytes.subarray(read, end));
    }
  }

  /**
   * Goes on after a pause.
   * @throws as `feed` does
   */
  resume(): void {
    this.paused = false;
    const { rest } = this;
    if (this.feeding || rest === null) return;
    this.runOn(rest);
  }

  /**
   * The origin sends nothing more.
   * @returns false when something is missing
   */
  ended(): boolean {
    if (this.state !== 'to-close' || this.rest !== null) return false;
    this.complete(false);
    return true;
  }

  /** True for a drip that completes nothing: to search all of a head again at each byte would cost their square. */
  private unchanged(rest: Buffer, piece: Buffer, whole: Buffer): boolean {
    if (this.state !== 'head' && this.state !== 'trailers') return false;
    // The first bytes show at once whether this is HTTP.
    return rest.length > 'HTTP/1.'.length && whole.length < this.maxHeadBytes && !piece.includes(10);
  }

  /** Reads from bytes that are ours: what is left of them is kept as it is, however often a pause stops the reading. */
  private runOn(held: Buffer): void {
    this.rest = null;
    const read = this.run(held, held.length);
    if (this.waits && read < held.length) this.rest = held.subarray(read);
  }

  /** Whether bytes that could not be read yet will be. */
  private get waits(): boolean {
    return this.state !== 'nothing';
  }

  /** @returns how far it came */
  private run(bytes: Buffer, end: number): number {
    let at = 0;
    this.feeding = true;
    try {
      while (at < end && !this.paused && this.state !== 'nothing') {
        const next = this.step(bytes, at, end);
        if (next === WAIT) break;
        at = next;
        if (this.state === 'end') this.complete(at < end);
      }
    } finally {
      this.feeding = false;
    }
    if (at < end && this.state === 'nothing') this.surplus = true;
    return at;
  }

  /** Reads one element. */
  private step(bytes: Buffer, at: number, end: number): number {
    switch (this.state) {
      case 'head':
        return this.head(bytes, at, end);
      case 'chunk-size':
        return this.chunkSize(bytes, at, end);
      case 'chunk-end':
        return this.chunkEnd(bytes, at, end);
      case 'trailers':
        return this.trailers(bytes, at, end);
      default:
        return this.body(bytes, at, end);
    }
  }

  private head(bytes: Buffer, at: number, end: number): number {
    const text = bytes.toString('latin1', at, Math.min(end, at + this.maxHeadBytes));
    const length = text.indexOf('\r\n\r\n');
    if (length < 0) {
      if (!mayBecomeHead(text)) throw gatewayError('GW_UPSTREAM_PROTOCOL', 'the answer is no HTTP/1');
      if (text.length >= this.maxHeadBytes)
        throw gatewayError('GW_UPSTREAM_HEADERS', `${this.maxHeadBytes} bytes`);
      return WAIT;
    }
    const head = parseHead(text.slice(0, length));
    if (head.status < 200) this.interimHead(head);
    else this.finalHead(head);
    return at + length + 4;
  }

  private interimHead(head: ParsedHead): void {
    // It has no body whatever it says (RFC 9112 section 6.3), but where its framing is none, who knows what follows.
    bodyLength(head, true);
    if (head.closes) throw gatewayError('GW_UPSTREAM_PROTOCOL', 'an interim answer that ends the connection');
    if (head.status === 101) throw gatewayError('GW_UPSTREAM_PROTOCOL', 'an upgrade that nobody asked for');
    if (++this.interim > MAX_INTERIM) throw gatewayError('GW_UPSTREAM_PROTOCOL', 'too many interim answers');
    // We never ask for a 100, and the client who asked has had ours.
    if (head.status !== 100) this.to!.informed(head);
  }

  private finalHead(head: ParsedHead): void {
    const length = bodyLength(head, this.toHead);
    if (length === null) this.state = head.coding === null ? 'to-close' : 'chunk-size';
    else this.state = length === 0 ? 'end' : 'sized';
    this.left = length ?? Number.POSITIVE_INFINITY;
    this.to!.headed(head, length);
  }

  /** A piece of a sized body, of a chunk, or of what the close ends. */
  private body(bytes: Buffer, at: number, end: number): number {
    const next = Math.min(end, at + this.left);
    this.left -= next - at;
    // The receiver may keep it, and the bytes are overwritten by the next read of any connection.
    const piece = Buffer.allocUnsafe(next - at);
    bytes.copy(piece, 0, at, next);
    this.to!.data(piece);
    if (this.left > 0) return next;
    if (this.state === 'chunk') this.state = 'chunk-end';
    else if (this.state === 'sized') this.state = 'end';
    return next;
  }

  private chunkSize(bytes: Buffer, at: number, end: number): number {
    const text = bytes.toString('latin1', at, Math.min(end, at + MAX_CHUNK_LINE));
    const length = text.indexOf('\r\n');
    if (length < 0 && text.length < MAX_CHUNK_LINE) return WAIT;
    const line = length < 0 ? null : CHUNK_LINE.exec(text.slice(0, length));
    if (line === null) throw gatewayError('GW_UPSTREAM_PROTOCOL', 'malformed size of a chunk');
    this.left = Number.parseInt(line[1]!, 16);
    this.state = this.left === 0 ? 'trailers' : 'chunk';
    return at + length + 2;
  }

  private chunkEnd(bytes: Buffer, at: number, end: number): number {
    if (end - at < 2) return WAIT;
    if (bytes[at] !== 13 || bytes[at + 1] !== 10)
      throw gatewayError('GW_UPSTREAM_PROTOCOL', 'a chunk is longer than its size');
    this.state = 'chunk-size';
    return at + 2;
  }

  private trailers(bytes: Buffer, at: number, end: number): number {
    const text = bytes.toString('latin1', at, Math.min(end, at + this.maxHeadBytes));
    if (text.startsWith('\r\n')) {
      this.state = 'end';
      return at + 2;
    }
    const length = text.indexOf('\r\n\r\n');
    if (length < 0) {
      if (text.length >= this.maxHeadBytes)
        throw gatewayError('GW_UPSTREAM_HEADERS', `trailers of ${this.maxHeadBytes} bytes`);
      return WAIT;
    }
    const trailers = new ResponseFields();
    readLines(text.slice(0, length), 0, trailers);
    this.lastFields = trailers.trailers();
    this.state = 'end';
    return at + length + 4;
  }

  /** @param more bytes follow that belong to no answer */
  private complete(more: boolean): void {
    const { to, lastFields } = this;
    this.to = null;
    this.lastFields = null;
    this.state = 'nothing';
    this.surplus = more;
    to!.completed(lastFields);
  }
}
