/** A small file that outlives the process: written whole or not at all, and never in anybody's way. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Larger ones are not ours. */
const MAX_BYTES = 16 * 1024 ** 2;

export interface StateFile {
  /**
   * The text, or null where there is none.
   * @throws Error where there is one that cannot be read
   */
  read(): Promise<string | null>;
  /** Writes in the background; of several texts in a row the last one counts. */
  write(text: string): void;
  /** Resolves when what was to be written is written, or could not be. */
  flush(): Promise<void>;
}

/** Writes beside the file and moves it there, so that nobody ever reads half of it. */
const replace = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.${randomUUID()}`;
  try {
    await writeFile(fresh, text, { mode: 0o600 });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
};

/**
 * Makes the file's handle; nothing is touched yet.
 * @param failed told of each write that failed
 */
export function createStateFile(path: string, failed: (error: Error) => void): StateFile {
  let next: string | null = null;
  let writing: Promise<void> | null = null;

  const writeAll = async () => {
    for (let text = next; text !== null; text = next) {
      next = null;
      try {
        await replace(path, text);
      } catch (error) {
        failed(error as Error);
      }
    }
    writing = null;
  };

  return {
    async read() {
      try {
        if ((await stat(path)).size > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES} bytes`);
        return await readFile(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    write(text) {
      next = text;
      writing ??= writeAll();
    },
    flush: async () => {
      await writing;
    },
  };
}
