/** The transport under test with a clock and a fine wheel of its own. */
import { systemClock } from '../../src/kernel/clock.ts';
import { createWheel } from '../../src/kernel/wheel.ts';
import {
  createEndpointTransport,
  type EndpointTransport,
  type EndpointTransportOptions,
} from '../../src/transport/endpoint-transport.ts';
import type { EndpointSpec } from '../../src/wire/endpoint.ts';

export const wheel = createWheel(systemClock, 5);

export const testTransport = (
  spec: EndpointSpec,
  options: Partial<EndpointTransportOptions> = {},
): EndpointTransport =>
  createEndpointTransport({
    spec,
    clock: systemClock,
    wheel,
    keepAliveMs: 5000,
    maxHeaderBytes: 16 * 1024,
    tls: null,
    ...options,
  });
