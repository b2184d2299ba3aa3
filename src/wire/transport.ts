/** The one verb for a call: a connection, an endpoint and a whole upstream all send the same way. */
import type { GatewayError } from '../kernel/errors.ts';
import type { Body } from './body.ts';
import type { Fields } from './fields.ts';
import type { RequestHead, ResponseHead } from './heads.ts';

/** Times of one call; 0 turns one off. */
export interface Timeouts {
  readonly connectMs: number;
  /** From the end of the request body to the response head. */
  readonly firstByteMs: number;
  /** Without a byte in either direction once the head has come. */
  readonly idleMs: number;
}

export interface Call {
  readonly head: RequestHead;
  readonly body: Body | null;
  /** Monotonic time by which the response head must be there; Infinity for none. */
  readonly deadlineMs: number;
  readonly timeouts: Timeouts;
  /** For balancers that hash; 0 otherwise. */
  readonly hash: number;
  /** Names the endpoint that the client comes back to; null or absent: any. */
  readonly stick?: string | null;
  /** Told of each try: the log, metrics and plugins hang here. Null for those who want none of it. */
  readonly observer: CallObserver | null;
}

/** Learns of each attempt of a call. */
export interface CallObserver {
  /** False when `attempt` never changes the head, which then needs no copy for each try. Taken as true when absent. */
  readonly changesHead?: boolean;
  /** Before the attempt is sent; may change its head. What it gives comes back with the end of the attempt. */
  attempt(head: RequestHead, to: { readonly upstream: string; readonly endpoint: string }): unknown;
  /**
   * Once an attempt has its head (status) or has failed (error).
   * @param mark what `attempt` gave: several attempts may be under way at once
   */
  attempted(status: number, error: GatewayError | null, mark?: unknown): void;
}

export interface Receiver {
  inform(status: number, fields: Fields): void;
  /** The response; the body is paused until read, and ends at once where there can be none (HEAD, 204, 304). */
  head(head: ResponseHead, body: Body): void;
  /** Instead of `head`; never after it (a late failure goes to the body's sink). */
  fail(error: GatewayError): void;
}

export interface Flight {
  /** Gives up, at any time: queued, connecting, sending, receiving. Idempotent; the receiver hears nothing more. */
  cancel(why: GatewayError): void;
}

export interface Transport {
  send(call: Call, to: Receiver): Flight;
  /** Takes no new call, lets those in flight finish for `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}
