/** Remembers where each value stands in the text, so that a message can point at it. */
import type { ConfigPath } from './types.ts';

export interface Spot {
  /** Offset of the key; null in a list and at the root. */
  readonly key: number | null;
  /** The key as the file has it, where something was put in for `${…}`; null otherwise. */
  readonly rawKey: string | null;
  /** Offset of the value. */
  readonly value: number;
  /** As the file has it, where something was put in for `${…}`; null otherwise. */
  readonly raw: string | null;
  /** The text behind a value that was typed after the replacement; null otherwise. */
  readonly text: string | null;
  readonly children: ReadonlyMap<string | number, Spot> | null;
}

/** The spot of a path, or of the nearest thing around it; `found` tells which. */
export function spotAt(root: Spot, path: ConfigPath): { readonly spot: Spot; readonly found: boolean } {
  let spot = root;
  for (const step of path) {
    const next = spot.children?.get(step);
    if (next === undefined) return { spot, found: false };
    spot = next;
  }
  return { spot, found: true };
}
