/** States of a limit by key in this process: so many at most, the longest unused forgotten first. */

export interface Store<T> {
  readonly size: number;
  /** The state of a key, made when there is none. */
  of(key: string): T;
  /** Every state that is kept, for those who clean up. */
  entries(): Iterable<[key: string, state: T]>;
}

/**
 * Two generations: a key that is used moves to the young one; when that is full the old one is forgotten. Each access
 * costs one look-up, and whoever was used among the last `most / 2` keys is certain to be kept.
 * @param forget is told of each state that goes
 */
export function createStore<T>(
  most: number,
  make: () => T,
  forget?: (key: string, state: T) => void,
): Store<T> {
  let young = new Map<string, T>();
  let old = new Map<string, T>();

  const age = () => {
    if (forget !== undefined) for (const [key, state] of old) forget(key, state);
    old = young;
    young = new Map();
  };

  return {
    get size() {
      return young.size + old.size;
    },
    of(key) {
      let state = young.get(key);
      if (state !== undefined) return state;
      state = old.get(key);
      if (state === undefined) state = make();
      else old.delete(key);
      if (young.size >= most / 2) age();
      young.set(key, state);
      return state;
    },
    *entries() {
      yield* old;
      yield* young;
    },
  };
}
