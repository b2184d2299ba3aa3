/** The Eureka registry, held to the suite of all registries with its real server. */
import { afterAll } from 'vitest';
import { closeSharedEureka, eurekaAdapter } from '../kit/registry-eureka.ts';
import { registryConformance } from './registries.ts';

registryConformance(eurekaAdapter);
afterAll(closeSharedEureka);
