/** A request body as undici reads it: the least that it takes for a stream, without a stream's buffers. */
import { EventEmitter } from 'node:events';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';

/** Who sends the request that the body belongs to. */
export interface Sender {
  /** A chunk went out. */
  uploadMoved(): void;
  /** The upstream takes nothing more for now, or again. */
  uploadHeld(held: boolean): void;
  /** The body broke before its end. */
  uploadFailed(error: GatewayError): void;
}

const ended = { autoDestroy: true };

const begin = (upload: Upload) => upload.begin();

/**
 * undici calls a thing with `pipe` and `on` a stream and drives it by `data`, `end`, `error`, `close`, `pause` and
 * `resume`. Chunks go straight through: the socket buffers, nobody else.
 */
export class Upload extends EventEmitter implements Sink {
  ready: (() => void) | null = null;
  destroyed = false;
  /** Tells undici not to watch for our end: there is nothing to destroy. */
  readonly _readableState = ended;
  private readonly sender: Sender;
  private readonly body: Body;
  private left: number;
  private begun = false;
  private over = false;
  private held = false;

  constructor(sender: Sender, body: Body) {
    super();
    this.sender = sender;
    this.body = body;
    this.left = body.length ?? Number.POSITIVE_INFINITY;
  }

  /** Here only to be known as a stream. */
  pipe(): never {
    throw new Error('an upload is read by events only');
  }

  /** True once the last byte has been given to undici. */
  get complete(): boolean {
    return this.over;
  }

  resume(): void {
    if (!this.begun) {
      this.begun = true;
      // Not at once: undici attaches its last listeners after this call and would never take them off.
      process.nextTick(begin, this);
    } else if (this.held) {
      this.held = false;
      this.sender.uploadHeld(false);
      this.ready?.();
    }
  }

  begin(): void {
    if (!this.over && !this.destroyed) this.body.read(this);
  }

  pause(): void {
    this.held = true;
  }

  write(chunk: Uint8Array): boolean {
    if (this.over || this.destroyed) return false;
    this.left -= chunk.byteLength;
    if (this.left < 0) {
      this.refuse('the request body is longer than was said');
      return false;
    }
    this.emit('data', chunk);
    this.sender.uploadMoved();
    // With a known length the last byte is the end; waiting for `end` could cost the connection its reuse.
    if (this.left === 0) this.finish();
    else if (this.held) this.sender.uploadHeld(true);
    return !this.held;
  }

  end(_trailers: Fields | null): void {
    if (this.over || this.destroyed) return;
    if (this.left !== Number.POSITIVE_INFINITY && this.left > 0) {
      this.refuse('the request body is shorter than was said');
      return;
    }
    this.finish();
  }

  fail(error: GatewayError): void {
    if (this.over || this.destroyed) return;
    this.over = true;
    this.sender.uploadFailed(error);
  }

  /** Stops the source if it still flows. */
  stop(why: GatewayError): void {
    if (this.over) return;
    this.over = true;
    if (this.begun) this.body.cancel(why);
  }

  /** Called by undici when it is done with the body, one way or the other. */
  destroy(error?: Error): void {
    if (this.destroyed) return;
    this.destroyed = true;
    if (this.over) return;
    if (error !== undefined && this.listenerCount('error') > 0) this.emit('error', error);
    this.emit('close');
  }

  private refuse(detail: string): void {
    const error = gatewayError('GW_INTERNAL', detail);
    this.stop(error);
    this.sender.uploadFailed(error);
  }

  private finish(): void {
    this.over = true;
    this.emit('end');
  }
}
