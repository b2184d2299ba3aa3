/** The Consul registry and the DNS registry before Consul, held to the suite of all registries with the real server. */
import { consulAdapter, consulDnsAdapter } from '../kit/registry-consul.ts';
import { registryConformance } from './registries.ts';

for (const adapter of [consulAdapter, consulDnsAdapter]) registryConformance(adapter);
