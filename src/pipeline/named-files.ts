/** The files that a plugin's configuration names: when the content of one changes, the instance is a new one. */
import { readFileSync } from 'node:fs';
import { digest } from './module-hooks.ts';

interface Named {
  generation: number;
  /** Instances alive under this key, old and new. */
  live: number;
  readonly files: Map<string, string>;
}

const byKey = new Map<string, Named>();

const contentOf = (file: string): string => {
  try {
    return digest(readFileSync(file));
  } catch (error) {
    // A file that cannot be read is told apart from one that can; the plugin itself says what it needs.
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
};

/** Counts one more instance under the key (`file` null), or remembers a file that it named. */
export function noteNamed<F extends string | null>(key: string, file: F): F {
  let named = byKey.get(key);
  if (named === undefined) {
    named = { generation: 0, live: 0, files: new Map() };
    byKey.set(key, named);
  }
  if (file === null) named.live++;
  else named.files.set(file, contentOf(file));
  return file;
}

/** Takes one instance from the key; the last one takes what was known of its files with it. */
export function dropNamed(key: string): void {
  const named = byKey.get(key);
  if (named !== undefined && --named.live <= 0) byKey.delete(key);
}

/** A number that grows whenever a file named under the key has another content than when it was last looked at. */
export function namedGeneration(key: string): number {
  const named = byKey.get(key);
  if (named === undefined) return 0;
  let changed = false;
  for (const [file, was] of named.files) {
    const now = contentOf(file);
    if (now === was) continue;
    changed = true;
    named.files.set(file, now);
  }
  if (changed) named.generation++;
  return named.generation;
}

/** Every file that a live instance has named; absolute. */
export function namedFiles(): string[] {
  return [...new Set([...byKey.values()].flatMap((named) => [...named.files.keys()]))].sort();
}
