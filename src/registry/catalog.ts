/** All kinds of registries, by type. */
import type { RegistryKind } from './registry.ts';

const KINDS: readonly RegistryKind[] = [];

export const REGISTRY_KINDS: ReadonlyMap<string, RegistryKind> = new Map(
  KINDS.map((kind) => [kind.form.type, kind]),
);
