/** What is on disk under a set of names: which folders to watch for which entries, and what the files hold. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { basename, join, parse, resolve, sep } from 'node:path';

/** Larger files are told apart by size and time alone. */
const MAX_HASHED_BYTES = 16 * 1024 ** 2;
/** Of a watched folder: levels and files that are looked at. */
const MAX_LEVELS = 4;
const MAX_FILES = 2000;
const MAX_LINKS = 40;

/** Folders to watch, with the entries in them that matter; null: all of them. */
export type Watched = Map<string, Set<string> | null>;

/** Missing, forbidden and looping names are all just not there. */
const look = (path: string, stat: typeof statSync | typeof lstatSync): Stats | null => {
  try {
    return stat(path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
};

const note = (watched: Watched, folder: string, entry: string): void => {
  const entries = watched.get(folder);
  if (entries === undefined) watched.set(folder, new Set([entry]));
  else entries?.add(entry);
};

/**
 * Walks a path as the system does and notes the folder of each link on the way, the folder of its end, and where
 * something is missing the last folder that is there: a swap of any link (as Kubernetes does with `..data`), a new
 * file under the name, and a folder that comes back are all seen there.
 */
export function noteFolders(watched: Watched, file: string): void {
  let links = 0;
  const { root } = parse(file);
  let rest = file
    .slice(root.length)
    .split(sep)
    .filter((part) => part !== '');
  let at = root;
  while (rest.length > 0) {
    const [entry, ...after] = rest as [string, ...string[]];
    const path = join(at, entry);
    const found = look(path, lstatSync);
    if (found === null || after.length === 0) note(watched, at, entry);
    if (found === null) return;
    if (!found.isSymbolicLink() || links++ >= MAX_LINKS) {
      at = path;
      rest = after;
      continue;
    }
    note(watched, at, entry);
    const target = resolve(at, readlinkSync(path));
    const from = parse(target).root;
    rest = [
      ...target
        .slice(from.length)
        .split(sep)
        .filter((part) => part !== ''),
      ...after,
    ];
    at = from;
  }
}

/** The names themselves, and for a folder all files in it. */
function* filesUnder(path: string, watched: Watched, level = 0): Generator<string> {
  const found = look(path, statSync);
  if (found === null || !found.isDirectory()) {
    yield path;
    return;
  }
  watched.set(path, null);
  if (level >= MAX_LEVELS) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    yield* filesUnder(join(path, entry.name), watched, level + 1);
  }
}

export interface Look {
  /** A file that was known holds something else, came or went. */
  readonly edited: boolean;
  /** There are other files than before. */
  readonly moved: boolean;
  readonly watched: Watched;
}

interface Known {
  readonly signature: string;
  readonly digest: string;
}

const digestOf = (path: string, found: Stats): string => {
  if (!found.isFile()) return 'no file';
  if (found.size > MAX_HASHED_BYTES) return `${found.size} ${found.mtimeMs}`;
  return createHash('sha256').update(readFileSync(path)).digest('base64');
};

/** Remembers what files held, and tells whether that has changed. */
export class Footprint {
  #known = new Map<string, Known>();

  /** Looks at everything again. */
  look(names: Iterable<string>): Look {
    const watched: Watched = new Map();
    const next = new Map<string, Known>();
    for (const name of names) {
      noteFolders(watched, name);
      for (const file of filesUnder(name, watched)) {
        if (next.size >= MAX_FILES) break;
        next.set(file, this.#read(file));
      }
    }
    let [edited, fresh, kept] = [false, false, 0];
    for (const [file, { digest }] of next) {
      const before = this.#known.get(file);
      if (before === undefined) fresh = true;
      else kept++;
      if (before !== undefined && before.digest !== digest) edited = true;
    }
    const moved = fresh || kept !== this.#known.size;
    this.#known = next;
    return { edited, moved, watched };
  }

  #read(file: string): Known {
    const found = look(file, statSync);
    if (found === null) return { signature: '', digest: 'not there' };
    const signature = `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
    const known = this.#known.get(file);
    if (known?.signature === signature) return known;
    try {
      return { signature, digest: digestOf(file, found) };
    } catch (error) {
      // It went, or may not be read, between the two calls: that too is a state that can change.
      return { signature: '', digest: (error as NodeJS.ErrnoException).code ?? 'unreadable' };
    }
  }
}

/** Does an event on a folder concern us? Without a name it might. */
export function concerns(watched: Watched, folder: string, entry: string | null): boolean {
  const entries = watched.get(folder);
  if (entries === undefined) return false;
  return entries === null || entry === null || entries.has(entry) || entry === basename(folder);
}
