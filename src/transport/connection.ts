/** One connection to an endpoint: a socket, the reader of its answers, and the call that it carries now. */
import type { Socket } from 'node:net';
import type { GatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import type { Connector, Opening, Reader } from './connector.ts';
import { type Reading, ResponseReader } from './response-reader.ts';

/** The call that a connection carries now. */
export interface Rider extends Reading {
  /** The connection stands; write now. */
  connected(): void;
  /** The connection never came to stand. */
  connectFailed(error: GatewayError): void;
  /** A first byte has come; `received` follows. */
  answering(): void;
  /** What has come so far has been read. */
  received(): void;
  /** The socket takes more again. */
  drained(): void;
  /**
   * The connection is of no more use.
   * @param error null when the socket ended in order
   */
  broke(error: Error | null): void;
  /** What was read is no answer, or the call's own receiver has thrown. */
  threw(error: unknown): void;
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

export class Connection implements Opening, Reader {
  readonly alarm: Alarm;
  readonly socket: Socket;
  rider: Rider | null;
  /** Calls carried before the present one. */
  served = 0;
  /** How long it may stay idle: our time, or less if the origin said so. */
  idleMs: number;
  private readonly keeper: Keeper;
  private readonly reader: ResponseReader;
  private stopped = false;
  private dead = false;
  /** What the socket reported when it broke; null when it ended in order. */
  private broken: Error | null = null;

  constructor(keeper: Keeper, rider: Rider) {
    this.keeper = keeper;
    this.rider = rider;
    this.idleMs = keeper.keepAliveMs;
    this.reader = new ResponseReader(keeper.maxHeaderBytes);
    this.alarm = new Alarm(() => (this.rider === null ? this.destroy() : this.rider.ring()));
    this.socket = keeper.connector.open(this, this);
    this.socket.on('error', (error) => {
      this.broken = error;
    });
    this.socket.on('drain', () => this.rider?.drained());
    this.socket.once('end', () => this.ended());
    this.socket.once('close', () => {
      this.lost();
      keeper.wheel.disarm(this.alarm);
      keeper.closed(this);
    });
  }

  opened(): void {
    if (!this.dead) this.rider?.connected();
  }

  openFailed(error: GatewayError): void {
    if (this.dead) return;
    this.dead = true;
    const rider = this.rider;
    this.rider = null;
    rider?.connectFailed(error);
  }

  /** The rider writes its request now: what comes next is the answer. */
  expect(rider: Rider, toHead: boolean): void {
    this.reader.expect(rider, toHead);
  }

  receive(bytes: Buffer, end: number): boolean {
    const rider = this.rider;
    if (this.dead) return false;
    if (rider === null || !this.reader.expecting) {
      this.unasked(rider);
      return false;
    }
    rider.answering();
    try {
      this.reader.feed(bytes, end);
      rider.received();
    } catch (error) {
      rider.threw(error);
    }
    this.stopped = this.reader.paused;
    return !this.stopped;
  }

  /** Holds the answer back, in the middle of a read as well. */
  pause(): void {
    this.reader.paused = true;
  }

  /** Lets the answer flow again. */
  resume(): void {
    const rider = this.rider;
    if (rider === null || !this.reader.paused) return;
    try {
      this.reader.resume();
      rider.received();
    } catch (error) {
      rider.threw(error);
    }
    this.flow();
  }

  /** The call is over and left the connection in order. */
  release(): void {
    this.rider = null;
    this.served++;
    if (!this.usable) {
      this.destroy();
      return;
    }
    this.reader.paused = false;
    this.flow();
    this.keeper.released(this);
  }

  get usable(): boolean {
    return !this.dead && !this.socket.destroyed && this.broken === null && !this.reader.surplus;
  }

  /** Cuts it, whatever it carries; the rider hears nothing more. */
  destroy(): void {
    this.rider = null;
    this.reader.stop();
    this.keeper.wheel.disarm(this.alarm);
    this.dead = true;
    this.socket.destroy();
  }

  /** Whatever it is that came, it must not be taken for the answer to the next request. */
  private unasked(rider: Rider | null): void {
    this.dead = true;
    if (rider === null) this.destroy();
    else rider.broke(null);
  }

  private flow(): void {
    if (!this.stopped || this.reader.paused) return;
    this.stopped = false;
    this.socket.resume();
  }

  /** The origin sends nothing more: the end of an answer, of an idle connection, or of a call. */
  private ended(): void {
    const rider = this.rider;
    this.dead = true;
    if (rider === null) {
      this.destroy();
      return;
    }
    try {
      if (!this.reader.ended()) this.lost();
    } catch (error) {
      rider.threw(error);
    }
  }

  private lost(): void {
    this.dead = true;
    this.rider?.broke(this.broken);
  }
}
