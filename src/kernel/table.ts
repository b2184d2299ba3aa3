/** A ref-counted table of live things that outlive a change of configuration. */

export interface Lease<T> {
  readonly value: T;
  /** Gives the share back; the last one closes the thing. Calling it twice is a no-op. */
  release(): void;
}

export interface Table<T> {
  /** Shares what is open (or being opened) under `key`, or opens it. A failure is never kept. */
  acquire(key: string, open: () => Promise<T> | T): Promise<Lease<T>>;
  readonly size: number;
}

interface Entry<T> {
  opening: Promise<T>;
  shares: number;
}

/**
 * Makes a table.
 * @param close called with the value and its key when the last share is released; its errors are the caller's to handle
 */
export function createTable<T>(close: (value: T, key: string) => void): Table<T> {
  const entries = new Map<string, Entry<T>>();

  const drop = (key: string, entry: Entry<T>) => {
    entry.shares--;
    if (entry.shares > 0) return false;
    if (entries.get(key) === entry) entries.delete(key);
    return true;
  };

  return {
    get size() {
      return entries.size;
    },
    async acquire(key, open) {
      let entry = entries.get(key);
      if (entry === undefined) {
        entry = { opening: Promise.try(open), shares: 0 };
        entries.set(key, entry);
      }
      entry.shares++;
      const held = entry;
      let value: T;
      try {
        value = await held.opening;
      } catch (error) {
        drop(key, held);
        throw error;
      }
      let released = false;
      return {
        value,
        release() {
          if (released) return;
          released = true;
          if (drop(key, held)) close(value, key);
        },
      };
    },
  };
}
