/** Every kind of registry, held to one suite with its real server. */
import { dnsAdapter } from '../kit/registry-dns.ts';
import { fileAdapter } from '../kit/registry-file.ts';
import { pushAdapter } from '../kit/registry-push.ts';
import { registryConformance } from './registries.ts';

for (const adapter of [fileAdapter, pushAdapter, dnsAdapter]) registryConformance(adapter);
