/** The connections to one endpoint: one for each call at a time, kept for the next; callers bound how many that are. */
import type { Clock } from '../kernel/clock.ts';
import { gatewayError } from '../kernel/errors.ts';
import type { Wheel } from '../kernel/wheel.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';
import type { Call, Flight, Receiver, Transport } from '../wire/transport.ts';
import { Connection, type Keeper } from './connection.ts';
import type { Connector, UpstreamTls } from './connector.ts';
import { type Desk, HttpFlight } from './flight.ts';
import { requestText } from './request-text.ts';

export interface EndpointTransportOptions {
  readonly spec: EndpointSpec;
  readonly clock: Clock;
  readonly wheel: Wheel;
  /** An idle connection is closed after so long, or a second before the origin said that it would. */
  readonly keepAliveMs: number;
  /** Of a response head. */
  readonly maxHeaderBytes: number;
  readonly tls: UpstreamTls | null;
}

export class EndpointPool implements Transport, Keeper, Desk {
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly connector: Connector;
  readonly maxHeaderBytes: number;
  readonly keepAliveMs: number;
  /** All that stand or are being opened. */
  private readonly all = new Set<Connection>();
  /** A stack: the one used last is the one least likely to have been closed by the origin. */
  private readonly idle: Connection[] = [];
  private flights = 0;
  private closing: Promise<void> | null = null;
  private gone: (() => void) | null = null;

  constructor(options: EndpointTransportOptions, connector: Connector) {
    this.clock = options.clock;
    this.wheel = options.wheel;
    this.connector = connector;
    this.maxHeaderBytes = options.maxHeaderBytes;
    this.keepAliveMs = options.keepAliveMs;
  }

  get connections(): number {
    return this.all.size;
  }

  get inFlight(): number {
    return this.flights;
  }

  send(call: Call, to: Receiver): Flight {
    const text = requestText(call.head, call.body);
    const flight = new HttpFlight(this, call, to, typeof text === 'string' ? text : '');
    this.flights++;
    if (this.closing !== null) flight.failSoon(gatewayError('GW_STOPPING', 'the endpoint is being closed'));
    else if (typeof text !== 'string') flight.failSoon(text);
    else if (call.deadlineMs <= this.clock.nowMs())
      flight.failSoon(gatewayError('GW_TIMEOUT', 'before sending'));
    else this.seat(flight);
    return flight;
  }

  seat(flight: HttpFlight): void {
    const connection = this.takeIdle();
    if (connection === null) this.openFor(flight);
    else flight.board(connection);
  }

  left(): void {
    this.flights--;
    if (this.closing !== null) this.closeIdle();
  }

  released(connection: Connection): void {
    this.idle.push(connection);
    this.wheel.arm(connection.alarm, connection.idleMs);
    if (this.closing !== null) this.closeIdle();
  }

  closed(connection: Connection): void {
    this.all.delete(connection);
    const at = this.idle.lastIndexOf(connection);
    if (at !== -1) this.idle.splice(at, 1);
    if (this.all.size === 0) this.gone?.();
  }

  /** Takes no new call; those under way have `graceMs`, then they fail with GW_STOPPING. */
  close(graceMs: number): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      const timer = this.clock.after(graceMs, () => {
        this.cutAll();
      });
      const gone = () => {
        if (this.flights > 0) return;
        timer.cancel();
        resolve();
      };
      this.gone = gone;
    });
    this.closeIdle();
    return this.closing;
  }

  private cutAll(): void {
    const error = gatewayError('GW_STOPPING', 'the time for ending in order is over');
    for (const connection of [...this.all]) {
      if (connection.rider === null) connection.destroy();
      else connection.rider.lose(error);
    }
  }

  private closeIdle(): void {
    for (const connection of this.idle.splice(0)) connection.destroy();
    if (this.all.size === 0) this.gone?.();
  }

  private takeIdle(): Connection | null {
    for (;;) {
      const connection = this.idle.pop();
      if (connection === undefined) return null;
      if (connection.usable) return connection;
    }
  }

  private openFor(flight: HttpFlight): void {
    const connection = new Connection(this, flight);
    this.all.add(connection);
    flight.await(connection);
  }
}
