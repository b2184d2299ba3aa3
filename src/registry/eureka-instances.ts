/** From the instances of a Eureka application to endpoints. */
import type { EurekaInstance } from '../clients/eureka-copy.ts';
import { metadataOf, weightOf, zoneOf } from './metadata.ts';
import type { RegisteredEndpoint } from './registry.ts';

export interface EurekaChoice {
  /** The secure port only. */
  readonly secure: boolean;
  readonly prefer: 'hostname' | 'ip';
}

const portOf = (
  instance: EurekaInstance,
  secureOnly: boolean,
): { scheme: 'http' | 'https'; port: number } | null => {
  const { port, securePort } = instance;
  if (!secureOnly && port?.['@enabled']) return { scheme: 'http', port: port.$ };
  return securePort?.['@enabled'] ? { scheme: 'https', port: securePort.$ } : null;
};

const endpointOf = (
  instance: EurekaInstance,
  { secure, prefer }: EurekaChoice,
): RegisteredEndpoint | null => {
  const { status, hostName, ipAddr } = instance;
  if (status !== 'UP' && status !== 'OUT_OF_SERVICE') return null;
  const at = portOf(instance, secure);
  if (at === null) return null;
  const metadata = metadataOf(instance.metadata);
  return {
    ...at,
    id: instance.instanceId ?? hostName,
    host: prefer === 'ip' && ipAddr ? ipAddr : hostName,
    // Whoever is taken out of service by hand keeps the calls that it has.
    weight: status === 'UP' ? weightOf(metadata) : 0,
    zone: zoneOf(metadata),
    metadata,
  };
};

/** The instances that take requests or drain. */
export const endpointsOf = (
  instances: readonly EurekaInstance[],
  choice: EurekaChoice,
): RegisteredEndpoint[] => instances.flatMap((each) => endpointOf(each, choice) ?? []);
