/** The tunnels to one endpoint: each has a connection of its own, opened for it and closed with it. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { createProxyServer, type ServerOptions } from 'http-proxy-3';
import type { Clock } from '../kernel/clock.ts';
import { gatewayError } from '../kernel/errors.ts';
import type { Wheel } from '../kernel/wheel.ts';
import type { Call, Flight } from '../wire/transport.ts';
import type { Tunnel, TunnelReceiver } from '../wire/tunnel.ts';
import type { Connector } from './connector.ts';
import type { EndpointTransportOptions } from './pool.ts';
import { unfitUpgrade, upgradeFields } from './request-text.ts';
import type { TunnelEnd } from './tunnel-end.ts';
import { type TunnelDesk, TunnelFlight } from './tunnel-flight.ts';

const NOTHING = Buffer.alloc(0);
/** node:http opens nothing here: the agent hands it our socket. */
const TARGET = { protocol: 'http:', host: 'upstream.invalid', port: '80' };

const makeProxy = () => {
  const proxy = createProxyServer({});
  // Both events give the socket that `ws` was called with: our end of the tunnel.
  proxy.on('proxyReqWs', (request, _from, end) => flightOf(end).requested(request));
  proxy.on('error', (error, _from, end) => flightOf(end).broke(error));
  return proxy;
};

const flightOf = (end: unknown) => (end as TunnelEnd).watcher as TunnelFlight;

/** Every path goes through one http-proxy-3, made when the first upgrade comes. */
let shared: ReturnType<typeof makeProxy> | null = null;

export class Tunnels implements Tunnel, TunnelDesk {
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly connector: Connector;
  private readonly maxHeaderBytes: number;
  private readonly open = new Set<TunnelFlight>();
  private stopping = false;
  private gone: (() => void) | null = null;

  constructor(options: EndpointTransportOptions, connector: Connector) {
    this.clock = options.clock;
    this.wheel = options.wheel;
    this.connector = connector;
    this.maxHeaderBytes = options.maxHeaderBytes;
  }

  get count(): number {
    return this.open.size;
  }

  connect(call: Call, to: TunnelReceiver): Flight {
    const unfit = this.stopping
      ? gatewayError('GW_STOPPING', 'the endpoint is being closed')
      : unfitCall(call);
    if (unfit !== null) {
      const refusal = { over: false };
      queueMicrotask(() => {
        if (!refusal.over) to.fail(unfit);
      });
      return {
        cancel() {
          refusal.over = true;
        },
      };
    }
    const flight = new TunnelFlight(this, call, to);
    this.open.add(flight);
    return flight;
  }

  upgrade(flight: TunnelFlight): void {
    shared ??= makeProxy();
    const { head } = flight.call;
    const request = {
      method: 'GET',
      url: head.path + head.query,
      headers: upgradeFields(head),
      httpVersion: '1.1',
      httpVersionMajor: 1,
    };
    const options: ServerOptions = {
      target: TARGET as unknown as URL,
      agent: flight.agent,
      toProxy: true,
      prependPath: false,
      // The options that node:http starts from; http-proxy-3 writes into them.
      ssl: { maxHeaderSize: this.maxHeaderBytes, setHost: false },
    };
    shared.ws(request as unknown as IncomingMessage, flight.end as unknown as Socket, NOTHING, options);
  }

  tunnelLeft(flight: TunnelFlight): void {
    this.open.delete(flight);
    if (this.open.size === 0) this.gone?.();
  }

  /** As `Transport.close`. */
  close(graceMs: number): Promise<void> {
    this.stopping = true;
    if (this.open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.clock.after(graceMs, () => {
        for (const flight of [...this.open]) flight.lose(gatewayError('GW_STOPPING', 'grace is over'));
      });
      const before = this.gone;
      const gone = () => {
        before?.();
        timer.cancel();
        resolve();
      };
      this.gone = gone;
    });
  }
}

const unfitCall = (call: Call) => {
  if (call.head.method !== 'GET') return gatewayError('GW_UPGRADE_REFUSED', 'a WebSocket handshake is a GET');
  return unfitUpgrade(call.head);
};
