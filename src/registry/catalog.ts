/** All kinds of registries, by type. */
import { fileKind } from './file.ts';
import type { RegistryKind } from './registry.ts';

const KINDS: readonly RegistryKind[] = [fileKind];

export const REGISTRY_KINDS: ReadonlyMap<string, RegistryKind> = new Map(
  KINDS.map((kind) => [kind.form.type, kind]),
);
