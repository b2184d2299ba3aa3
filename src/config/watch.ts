/** Watches the files of a configuration through edits, renames, link swaps, deletion and return. */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock, Timer } from '../kernel/clock.ts';
import { concerns, Footprint, type Look, type Watched } from './footprint.ts';

/** Editors and deployments write in several steps; a change is told when they have been quiet this long. */
const QUIET_MS = 100;
/** Told at last even when it never gets quiet. */
const AT_LAST_MS = 1000;
/** Network file systems and bind mounts tell nothing, and a watch can be lost: looked at anyway. */
const POLL_MS = 5000;

export interface FileWatch {
  /** Watches these files from now on. Files that are new here are taken as they are. */
  update(files: readonly string[]): void;
  close(): void;
}

class FolderWatches {
  readonly #open = new Map<string, { readonly watcher: FSWatcher; readonly inode: bigint }>();
  readonly #seen: (folder: string, entry: string | null) => void;

  constructor(seen: (folder: string, entry: string | null) => void) {
    this.#seen = seen;
  }

  /** Watches exactly these folders; one that was replaced under its name is watched anew. */
  set(folders: ReadonlySet<string>): void {
    for (const [folder, { inode }] of this.#open)
      if (!folders.has(folder) || this.#inode(folder) !== inode) this.#drop(folder);
    for (const folder of folders) if (!this.#open.has(folder)) this.#add(folder);
  }

  close(): void {
    for (const folder of [...this.#open.keys()]) this.#drop(folder);
  }

  #inode(folder: string): bigint | null {
    return statSync(folder, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
  }

  #add(folder: string): void {
    try {
      const inode = this.#inode(folder);
      if (inode === null) return;
      const watcher = watch(folder, { persistent: false }, (_event, entry) => this.#seen(folder, entry));
      watcher.on('error', () => this.#drop(folder));
      this.#open.set(folder, { watcher, inode });
    } catch (error) {
      // Out of watches, or not allowed to: the poll sees the change, some seconds later.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }

  #drop(folder: string): void {
    this.#open.get(folder)?.watcher.close();
    this.#open.delete(folder);
  }
}

class Watching implements FileWatch {
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #footprint = new Footprint();
  readonly #folders = new FolderWatches((folder, entry) => {
    if (concerns(this.#watched, folder, entry)) this.#touched();
  });
  readonly #poll: Timer;
  #files: readonly string[] = [];
  #watched: Watched = new Map();
  #quiet: Timer | null = null;
  #firstMs = 0;
  #late = false;
  #closed = false;

  constructor(files: readonly string[], clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
    this.update(files);
    this.#poll = clock.every(POLL_MS, () => this.#check());
  }

  update(files: readonly string[]): void {
    if (this.#closed) return;
    this.#files = [...new Set(files.map((file) => resolve(file)))];
    // An edit while the last change was being read must not be lost.
    if (!this.#look()?.edited) return;
    this.#late = true;
    this.#touched();
  }

  close(): void {
    this.#closed = true;
    this.#quiet?.cancel();
    this.#poll.cancel();
    this.#folders.close();
  }

  #touched(): void {
    if (this.#closed) return;
    const now = this.#clock.nowMs();
    if (this.#quiet === null) this.#firstMs = now;
    else if (now - this.#firstMs >= AT_LAST_MS) return;
    this.#quiet?.cancel();
    this.#quiet = this.#clock.after(QUIET_MS, () => this.#check());
  }

  #check(): void {
    this.#quiet?.cancel();
    this.#quiet = null;
    if (this.#closed) return;
    const look = this.#look();
    const changed = this.#late || look?.edited === true || look?.moved === true;
    this.#late = false;
    if (changed) this.#changed();
  }

  /** Looks at the files and watches their folders; null when they moved under its eyes, which the poll mends. */
  #look(): Look | null {
    try {
      const look = this.#footprint.look(this.#files);
      this.#watched = look.watched;
      this.#folders.set(new Set(look.watched.keys()));
      return look;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return null;
    }
  }
}

/**
 * Calls when the content of any of the files changes, appears or goes; a folder stands for all files in it. A touch
 * that changes nothing is no change. Never keeps the process alive, never throws for what is on disk.
 */
export function watchFiles(files: readonly string[], clock: Clock, changed: () => void): FileWatch {
  return new Watching(files, clock, changed);
}
