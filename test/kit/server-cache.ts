/** Where programs for the tests are found: on the PATH, or built once into a cache outside the checkout. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The file of a program on the PATH, or null. */
export function onPath(program: string): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file)) ?? null;
}

/** A place in the cache; the version belongs into the name, so that a newer one is built anew. */
export const inCache = (...names: string[]): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'snowgate', ...names);
