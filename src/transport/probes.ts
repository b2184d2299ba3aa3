/** All ways to ask an endpoint whether it is healthy, by the type that the configuration names. */
import type { Probe, ProbeParts } from './probe.ts';
import { GrpcProbe } from './probe-grpc.ts';
import { HttpProbe } from './probe-http.ts';
import { TcpProbe } from './probe-tcp.ts';

/**
 * Makes the probe of one endpoint, for the type that the options name.
 * @throws Error when a certificate or key is no valid PEM
 */
export function createProbe(parts: ProbeParts): Probe {
  const { port } = parts.options;
  const asked = port === null ? parts : { ...parts, spec: { ...parts.spec, port } };
  switch (parts.options.type) {
    case 'http':
      return new HttpProbe(asked);
    case 'tcp':
      return new TcpProbe(asked);
    case 'grpc':
      return new GrpcProbe(asked);
  }
}
