/** The transport of one endpoint: ordinary calls and tunnels, over connections of its own. */
import type { Transport } from '../wire/transport.ts';
import { createConnector } from './connector.ts';
import { EndpointPool, type EndpointTransportOptions } from './pool.ts';

export type { EndpointTransportOptions };
export interface EndpointTransport extends Transport {
  readonly connections: number;
  readonly inFlight: number;
}

/**
 * Makes the transport of one endpoint. Nothing is opened before the first call.
 * @throws Error when a certificate or key is no valid PEM
 */
export function createEndpointTransport(options: EndpointTransportOptions): EndpointTransport {
  return new EndpointPool(options, createConnector(options.spec, options.tls));
}
