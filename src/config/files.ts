/** The files that a configuration names: read within bounds, remembered so that they can be watched. */
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { Problem } from './report.ts';

/** What a secret may hold. */
const MAX_SECRET_BYTES = 64 * 1024;
const MAX_PEM_BYTES = 4 * 1024 ** 2;

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a folder',
  ENOTDIR: 'stands under something that is no folder',
  ELOOP: 'is a link to itself',
  ENAMETOOLONG: 'has a name that is too long',
};

/** Why a file cannot be read, as a predicate. */
export function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return WHY[code] ?? `cannot be read (${code})`;
}

export class Files {
  readonly #folder: string;
  readonly #named = new Set<string>();

  /** @param folder what relative names start from */
  constructor(folder: string) {
    this.#folder = folder;
  }

  absolute(name: string): string {
    return isAbsolute(name) ? name : resolve(this.#folder, name);
  }

  /** Every file that was named, whether it could be read or not; absolute. */
  named(): string[] {
    return [...this.#named];
  }

  /** The text of a secret without its last line end, or why there is none. The problem never holds the text. */
  secret(name: string): { readonly text: string } | Problem {
    const read = this.#read(name, `\`${name}\``, MAX_SECRET_BYTES);
    return typeof read === 'string' ? { text: read.replace(/\r?\n$/, '') } : read;
  }

  /**
   * Null when the file can be read and holds PEM, else why not.
   * @param shown the name as a message may show it
   */
  check(name: string, shown: string): Problem | null {
    const read = this.#read(name, shown, MAX_PEM_BYTES);
    if (typeof read !== 'string') return read;
    return read.includes('-----BEGIN ')
      ? null
      : { message: `the file ${shown} holds no PEM block`, remedy: 'It should begin with -----BEGIN.' };
  }

  #read(name: string, shown: string, maxBytes: number): string | Problem {
    const path = this.absolute(name);
    this.#named.add(path);
    try {
      const found = statSync(path);
      // A device or a pipe would never end.
      if (!found.isFile()) return { message: `the file ${shown} is no ordinary file` };
      if (found.size > maxBytes) return { message: `the file ${shown} is larger than ${maxBytes} bytes` };
      return readFileSync(path, 'utf8');
    } catch (error) {
      return { message: `the file ${shown} ${whyUnreadable(error)}` };
    }
  }
}
