/** Who waits for changes of which nodes: one function a node towards the library, which keeps each until it fires. */

export type Changed = () => void;

interface Entry {
  readonly waiting: Set<Changed>;
  readonly fire: () => void;
}

export class ZooKeeperWatchers {
  readonly #entries = new Map<string, Entry>();

  /**
   * Adds one who waits.
   * @param key the node and what of it is watched
   * @returns what the library is to call: the same function as long as it has not fired
   */
  add(key: string, changed: Changed): () => void {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = this.#entry(key);
      this.#entries.set(key, entry);
    }
    entry.waiting.add(changed);
    return entry.fire;
  }

  /** Takes one away who waits for this node, or for any. */
  remove(changed: Changed, key?: string): void {
    const keys = key === undefined ? [...this.#entries.keys()] : [key];
    for (const each of keys) {
      const waiting = this.#entries.get(each)?.waiting;
      if (waiting?.delete(changed) && waiting.size === 0) this.#entries.delete(each);
    }
  }

  /** Forgets all: their session is over. */
  clear(): void {
    this.#entries.clear();
  }

  #entry(key: string): Entry {
    const entry: Entry = {
      waiting: new Set(),
      fire: () => {
        if (this.#entries.get(key) !== entry) return;
        this.#entries.delete(key);
        for (const changed of entry.waiting) changed();
      },
    };
    return entry;
  }
}
