/** Every kind of registry, held to one suite with its real server. */
import { fileAdapter } from '../kit/registry-file.ts';
import { registryConformance } from './registries.ts';

for (const adapter of [fileAdapter]) registryConformance(adapter);
