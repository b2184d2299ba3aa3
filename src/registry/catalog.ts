/** All kinds of registries, by type. */
import { consulKind } from './consul.ts';
import { dnsKind } from './dns.ts';
import { eurekaKind } from './eureka.ts';
import { fileKind } from './file.ts';
import { pushKind } from './push.ts';
import type { RegistryKind } from './registry.ts';
import { zookeeperKind } from './zookeeper.ts';

const KINDS: readonly RegistryKind[] = [fileKind, pushKind, dnsKind, consulKind, zookeeperKind, eurekaKind];

/** Each has its form in `config/registries/catalog.ts`. */
export const REGISTRY_KINDS: ReadonlyMap<string, RegistryKind> = new Map(
  KINDS.map((kind) => [kind.form.type, kind]),
);
