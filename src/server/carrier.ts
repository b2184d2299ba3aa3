/** What an exchange needs of the connection that carries it. */
import type { Socket } from 'node:net';
import type { GatewayError } from '../kernel/errors.ts';
import type { Peer } from '../wire/heads.ts';
import type { Incoming } from './incoming.ts';
import type { Settings } from './settings.ts';

export interface Carrier {
  readonly socket: Socket;
  readonly settings: Settings;
  readonly peer: Peer;
  /** The exchange has ended well; `keep` when the connection may carry another. */
  finished(req: Incoming, keep: boolean): void;
  /** The rest of an unread body has been drained. */
  rested(): void;
  /** The exchange is cut, and the connection with it: by a reset, or by a plain close. */
  cut(reset: boolean): void;
  /** The answer's head says that the connection closes after it. */
  willClose(): void;
  /** Starts (again) the clock on the request body, in milliseconds. */
  awaitBody(ms: number): void;
  restBody(): void;
  /** What came of the request body is malformed. */
  bodyBroken(error: GatewayError): void;
  /** Starts the clock on bytes that the client doesn't take. */
  awaitWrite(): void;
  /** The connection has become a raw one. */
  tunnelled(): void;
}
