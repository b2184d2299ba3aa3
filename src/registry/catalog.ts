/** All kinds of registries, by type. */
import { consulKind } from './consul.ts';
import { eurekaKind } from './eureka.ts';
import { fileKind } from './file.ts';
import { pushKind } from './push.ts';
import type { RegistryKind } from './registry.ts';
import { zookeeperKind } from './zookeeper.ts';

const KINDS: readonly RegistryKind[] = [fileKind, pushKind, consulKind, zookeeperKind, eurekaKind];

export const REGISTRY_KINDS: ReadonlyMap<string, RegistryKind> = new Map(
  KINDS.map((kind) => [kind.form.type, kind]),
);
