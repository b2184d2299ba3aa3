/** The seam for upgrades: opens a raw connection through an upstream and joins it to the client's. */
import type { Duplex } from 'node:stream';
import type { GatewayError } from '../kernel/errors.ts';
import type { Body } from './body.ts';
import type { ResponseHead } from './heads.ts';
import type { Call, Flight } from './transport.ts';

export interface TunnelReceiver {
  /**
   * The upstream answered a valid 101. Call `join` once with the accepted client connection;
   * bytes flow from then on until either end closes.
   */
  open(head: ResponseHead, join: (client: Duplex, ended: TunnelEnded) => void): void;
  /** The upstream answered something else; pass it on as an ordinary response. */
  refuse(head: ResponseHead, body: Body): void;
  fail(error: GatewayError): void;
}

/** Called once when a joined tunnel is over, with the error if it did not end by itself. */
export type TunnelEnded = (error: GatewayError | null) => void;

export interface Tunnel {
  /** `call.body` is null; `call.timeouts.idleMs` ends a tunnel that carries nothing for so long. */
  connect(call: Call, to: TunnelReceiver): Flight;
}
