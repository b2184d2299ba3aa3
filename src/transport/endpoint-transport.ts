/** The transport of one endpoint: ordinary calls and tunnels, over connections of its own. */
import type { Call, Flight, Receiver, Transport } from '../wire/transport.ts';
import type { Tunnel, TunnelReceiver } from '../wire/tunnel.ts';
import { createConnector } from './connector.ts';
import { EndpointPool, type EndpointTransportOptions } from './pool.ts';
import { Tunnels } from './tunnels.ts';

export type { EndpointTransportOptions };

export interface EndpointTransport extends Transport, Tunnel {
  /** Sockets that are open or being opened, tunnels included. */
  readonly connections: number;
  /** Calls and tunnels that are not over, the waiting ones included. */
  readonly inFlight: number;
}

class Endpoint implements EndpointTransport {
  private readonly pool: EndpointPool;
  private readonly tunnels: Tunnels;

  constructor(options: EndpointTransportOptions) {
    const connector = createConnector(options.spec, options.tls);
    this.pool = new EndpointPool(options, connector);
    this.tunnels = new Tunnels(options, connector);
  }

  get connections(): number {
    return this.pool.connections + this.tunnels.count;
  }

  get inFlight(): number {
    return this.pool.inFlight + this.tunnels.count;
  }

  send(call: Call, to: Receiver): Flight {
    return this.pool.send(call, to);
  }

  connect(call: Call, to: TunnelReceiver): Flight {
    return this.tunnels.connect(call, to);
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all([this.pool.close(graceMs), this.tunnels.close(graceMs)]);
  }
}

/**
 * Makes the transport of one endpoint. Nothing is opened before the first call, and no receiver is called before
 * `send` or `connect` has returned.
 * @throws Error when a certificate or key is no valid PEM
 */
export function createEndpointTransport(options: EndpointTransportOptions): EndpointTransport {
  return new Endpoint(options);
}
