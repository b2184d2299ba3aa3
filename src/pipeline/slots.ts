/** Numbers for `host.slot`: stable while an instance lives, unlike its neighbours' in any chain, and small. */
import type { Scope } from './resolve.ts';

/** Route instances never meet those of another route, nor upstream instances those of another upstream. */
const OFFSET: Readonly<Record<Scope, number>> = { global: 0, upstream: 1, route: 2 };
const STRIDE = 3;

const taken = new Map<string, Set<number>>();

export interface SlotLease {
  readonly slot: number;
  /** Frees the number. Idempotent. */
  release(): void;
}

/**
 * Lends the lowest free number of a scope and owner. Each scope counts in its own steps of three, so instances of
 * different scopes never share a number, and a thousand routes with one instance each need one number, not a thousand.
 */
export function takeSlot(scope: Scope, owner: string): SlotLease {
  const key = `${scope} ${owner}`;
  const used = taken.get(key) ?? new Set<number>();
  taken.set(key, used);
  let index = 0;
  while (used.has(index)) index++;
  used.add(index);
  let released = false;
  return {
    slot: index * STRIDE + OFFSET[scope],
    release() {
      if (released) return;
      released = true;
      used.delete(index);
      if (used.size === 0) taken.delete(key);
    },
  };
}
