/** The seam to a client: one request that came in and the ways to answer it. */
import type { Duplex } from 'node:stream';
import type { Body, Sink } from './body.ts';
import type { Fields } from './fields.ts';
import type { Peer, RequestHead, ResponseHead } from './heads.ts';

/** How an exchange ended for the client: all sent; the client left; the gateway cut it. */
export type Closing = 'sent' | 'left' | 'cut';

export interface Downstream {
  /** Checked for framing and host; hop-by-hop fields removed. */
  readonly head: RequestHead;
  readonly version: '1.0' | '1.1' | '2';
  readonly peer: Peer;
  /** Null when the request has none. The first read answers `Expect: 100-continue`. */
  readonly body: Body | null;
  /** True for a well-formed WebSocket handshake; `accept` is allowed only then. */
  readonly upgrade: boolean;
  /** Passes an interim (1xx) answer. */
  inform(status: number, fields: Fields): void;
  /** Begins the answer; the head leaves with the first bytes or the end. Once. */
  reply(head: ResponseHead, length: number | null): Sink;
  /** Answers an upgrade with 101 and gives the raw connection. Once, instead of `reply`. */
  accept(head: ResponseHead): Duplex;
  /** Cuts the connection so that nothing looks whole. */
  abort(): void;
  /** What the answers name that the connection gives by itself, once whoever serves has said it; empty before. */
  traceId: string;
  /** Called once, after the last byte or the cut, with the bytes of bodies in and out. */
  closed: ((how: Closing, inBytes: number, outBytes: number) => void) | null;
  /** Called once when the client goes away before the answer is complete; before `closed`. */
  left: (() => void) | null;
}

/** What a listener calls for each request that passed its guards. */
export type Serve = (down: Downstream) => void;
