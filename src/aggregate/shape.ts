/** What of a part's answer goes into the whole: a place in it, and members picked, dropped and renamed. */
import type { AggregatePart } from '../config/aggregate-types.ts';
import { elementsOf, joinMembers, membersOf } from './json.ts';

export type ShapeOptions = Pick<AggregatePart, 'pick' | 'drop' | 'rename'>;

/** Gives the changed JSON, or null for what is neither a map nor a list of maps. */
export type Shape = (json: string) => string | null;

/** Compiles the changes; null where everything stays as it is. */
export function compileShape({ pick, drop, rename }: ShapeOptions): Shape | null {
  const renamed = new Map(Object.entries(rename));
  if (pick === null && drop.length === 0 && renamed.size === 0) return null;
  const kept = pick === null ? null : new Set(pick);
  const dropped = new Set(drop);

  const shapeMap = (json: string): string | null => {
    const members = membersOf(json);
    if (members === null) return null;
    const shaped = new Map<string, string>();
    for (const [name, value] of members) {
      if (dropped.has(name) || kept?.has(name) === false) continue;
      shaped.set(renamed.get(name) ?? name, value);
    }
    return joinMembers(shaped);
  };

  return (json) => {
    const elements = elementsOf(json);
    if (elements === null) return shapeMap(json);
    const shaped: string[] = [];
    for (const element of elements) {
      const one = shapeMap(element);
      if (one === null) return null;
      shaped.push(one);
    }
    return `[${shaped.join(',')}]`;
  };
}

/**
 * Where a place in an answer stands once its members have other names.
 * @param json the changed answer
 */
export function shapedSteps(
  json: string,
  steps: readonly string[],
  rename: ShapeOptions['rename'],
): readonly string[] {
  // Members of a map are renamed, or of each map in a list.
  const at = json.trimStart().startsWith('[') ? 1 : 0;
  const name = steps[at];
  return name === undefined ? steps : steps.with(at, rename[name] ?? name);
}
