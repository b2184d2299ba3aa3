/** A request body on its way into the socket, framed as its head said. */
import type { Socket } from 'node:net';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import { trailerText } from './request-text.ts';

/** Who sends the request that the body belongs to. */
export interface Sender {
  /** A piece went out. */
  uploadMoved(): void;
  /** The upstream takes nothing more for now, or again. */
  uploadHeld(held: boolean): void;
  /** The last byte has been written. */
  uploadSent(): void;
  /** The body broke before its end. */
  uploadFailed(error: GatewayError): void;
}

/** Pieces go straight through: the socket buffers, nobody else. */
export class Upload implements Sink {
  ready: (() => void) | null = null;
  private readonly sender: Sender;
  private readonly socket: Socket;
  private readonly body: Body;
  private left: number;
  private over = false;
  private held = false;

  constructor(sender: Sender, socket: Socket, body: Body) {
    this.sender = sender;
    this.socket = socket;
    this.body = body;
    this.left = body.length ?? Number.POSITIVE_INFINITY;
  }

  /** True once the last byte has been given to the socket. */
  get complete(): boolean {
    return this.over;
  }

  /**
   * Starts the flow; the head leaves together with what of the body is there at once.
   * @throws whatever the source of the body throws
   */
  begin(head: string): void {
    const { socket } = this;
    socket.cork();
    try {
      socket.write(head, 'latin1');
      this.body.read(this);
    } finally {
      socket.uncork();
    }
  }

  /** The socket takes more again. */
  drained(): void {
    if (!this.held) return;
    this.held = false;
    if (this.over) return;
    this.sender.uploadHeld(false);
    this.ready?.();
  }

  write(chunk: Uint8Array): boolean {
    if (this.over) return false;
    if (chunk.byteLength === 0) return !this.held;
    this.left -= chunk.byteLength;
    if (this.left < 0) {
      this.refuse('the request body is longer than was said');
      return false;
    }
    this.put(chunk);
    this.sender.uploadMoved();
    // With a known length the last byte is the end; waiting for `end` could cost the connection its reuse.
    if (this.left === 0) this.finish();
    else if (this.held) this.sender.uploadHeld(true);
    return !this.held;
  }

  end(trailers: Fields | null): void {
    if (this.over) return;
    if (this.body.length !== null) {
      this.refuse('the request body is shorter than was said');
      return;
    }
    this.socket.write(`0\r\n${trailerText(trailers)}\r\n`, 'latin1');
    this.finish();
  }

  fail(error: GatewayError): void {
    if (this.over) return;
    this.over = true;
    this.sender.uploadFailed(error);
  }

  /** Stops the source if it still flows. */
  stop(why: GatewayError): void {
    if (this.over) return;
    this.over = true;
    this.body.cancel(why);
  }

  private put(chunk: Uint8Array): void {
    const { socket } = this;
    if (this.body.length === null) {
      socket.cork();
      socket.write(`${chunk.byteLength.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      socket.write('\r\n', 'latin1');
      socket.uncork();
    } else {
      socket.write(chunk);
    }
    this.held = socket.writableNeedDrain;
  }

  private refuse(detail: string): void {
    const error = gatewayError('GW_INTERNAL', detail);
    this.stop(error);
    this.sender.uploadFailed(error);
  }

  private finish(): void {
    this.over = true;
    this.sender.uploadSent();
  }
}
