/** Which plugin instances run on a route: the three scopes laid over each other. */
import type { PluginInstance, PluginUses } from '../config/types.ts';

export type Scope = 'global' | 'upstream' | 'route';

export interface ResolvedUse {
  readonly scope: Scope;
  readonly name: string;
  readonly use: PluginInstance;
}

/**
 * Lays the scopes over each other: the same name in a narrower scope replaces the wider one (and stands in the
 * narrower scope's place), `false` takes it away, other names add.
 * @returns in order: global, upstream, route, and in each the file's order
 */
export function resolveUses(global: PluginUses, upstream: PluginUses, route: PluginUses): ResolvedUse[] {
  const byName = new Map<string, ResolvedUse>();
  const lay = (scope: Scope, uses: PluginUses) => {
    for (const name of Object.keys(uses)) {
      const use = uses[name]!;
      byName.delete(name);
      if (use !== false) byName.set(name, { scope, name, use });
    }
  };
  lay('global', global);
  lay('upstream', upstream);
  lay('route', route);
  return [...byName.values()];
}
