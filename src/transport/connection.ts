/** One connection to an endpoint: a socket of our own with an undici Client of its own on it. */
import type { Socket } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import type { Connector, Opening } from './connector.ts';

/** The call that a connection carries now. */
export interface Rider extends Dispatcher.DispatchHandler {
  /** The connection stands; dispatch now. */
  connected(): void;
  /** The connection never came to stand. */
  connectFailed(error: GatewayError): void;
  /** The time that was set by `connection.alarm` is over. */
  ring(): void;
  /** Ends the call with an error, wherever it is. */
  lose(error: GatewayError): void;
}

/** Who keeps the connections. */
export interface Keeper {
  readonly connector: Connector;
  readonly wheel: Wheel;
  readonly maxHeaderBytes: number;
  readonly keepAliveMs: number;
  /** The connection can carry another call. */
  released(connection: Connection): void;
  /** The socket is gone, or never was. Once. */
  closed(connection: Connection): void;
}

/** undici only needs an origin for its own bookkeeping: the socket and the Host field are ours. */
const ORIGIN = 'http://upstream.invalid';
const YEAR_MS = 2 ** 31 - 1;
const GONE = gatewayError('GW_UPSTREAM_STALE', 'the connection was closed before the request was written');
const ignored = () => {};

export class Connection implements Opening {
  readonly alarm: Alarm;
  rider: Rider | null;
  /** Calls carried before the present one. */
  served = 0;
  /** True once the socket has closed or is being closed. */
  dead = false;
  /** What the socket reported when it broke; null when it ended in order. */
  broken: Error | null = null;
  /** How long it may stay idle: our time, or less if the origin said so. */
  idleMs: number;
  private readonly keeper: Keeper;
  private readonly socket: Socket;
  private client: Client | null = null;
  private taken = false;

  constructor(keeper: Keeper, rider: Rider) {
    this.keeper = keeper;
    this.rider = rider;
    this.idleMs = keeper.keepAliveMs;
    this.alarm = new Alarm(() => (this.rider === null ? this.destroy() : this.rider.ring()));
    this.socket = keeper.connector.open(this);
    // Before undici's own listeners, so that a call that it ends knows already how the socket did.
    this.socket.on('error', (error) => {
      this.broken = error;
    });
    this.socket.once('close', () => {
      this.dead = true;
      keeper.wheel.disarm(this.alarm);
      keeper.closed(this);
    });
  }

  opened(): void {
    if (this.dead) return;
    this.client = new Client(ORIGIN, {
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: YEAR_MS,
      keepAliveMaxTimeout: YEAR_MS,
      keepAliveTimeoutThreshold: 1000,
      maxHeaderSize: this.keeper.maxHeaderBytes,
      connect: (_options, callback) => {
        // undici would reconnect for a request that waits; a second socket is the keeper's decision.
        const first = !this.taken;
        this.taken = true;
        // Never at once: undici would not notice that it has a socket.
        queueMicrotask(() => (first ? callback(null, this.socket) : callback(GONE, null)));
      },
    });
    this.rider?.connected();
  }

  openFailed(error: GatewayError): void {
    if (this.dead) return;
    this.dead = true;
    const rider = this.rider;
    this.rider = null;
    rider?.connectFailed(error);
  }

  /** Hands the request to undici; what undici refuses at once, the rider hears at once. */
  dispatch(options: Dispatcher.DispatchOptions, rider: Rider): void {
    this.client!.dispatch(options, rider);
  }

  /**
   * The call is over and left the connection in order.
   * @param carried false when nothing of the call was written
   */
  release(carried: boolean): void {
    this.rider = null;
    if (carried) this.served++;
    if (this.usable) this.keeper.released(this);
    else this.destroy();
  }

  get usable(): boolean {
    return !this.dead && !this.socket.destroyed && this.broken === null;
  }

  /** Cuts it, whatever it carries; the rider hears nothing more. */
  destroy(): void {
    this.rider = null;
    this.keeper.wheel.disarm(this.alarm);
    if (this.dead && this.client === null) return;
    this.dead = true;
    if (this.client === null) this.socket.destroy();
    else this.client.destroy(GONE, ignored);
  }
}
