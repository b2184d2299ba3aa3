/** A bounded memory of credentials that have been verified, so that the next request with one waits for nothing. */
import { hash } from 'node:crypto';

/** Two generations of half the size: what is used again moves to the young one, the old one goes as a whole. */
export class Verified<T> {
  readonly #half: number;
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  /** @param most entries kept; 0 keeps none */
  constructor(most: number) {
    this.#half = Math.ceil(most / 2);
  }

  get(key: string): T | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: T): void {
    if (this.#half === 0) return;
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}

/** What a credential is remembered by: never itself, so that a dump of the memory holds none. */
export function digestOf(text: string): string {
  return hash('sha256', text, 'base64');
}

/** Makes a value unchangeable, as it is shared by many requests from now on. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
  return value;
}
