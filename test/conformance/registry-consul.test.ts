/** The Consul registry, held to the suite of all registries with its real server. */
import { consulAdapter } from '../kit/registry-consul.ts';
import { registryConformance } from './registries.ts';

registryConformance(consulAdapter);
