/** What is wrong with a configuration, where, and what to do about it. */
import type { ConfigPath } from './types.ts';

export interface Place {
  /** As it was given to the loader. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

export interface Issue {
  /** A note is for those who ask: `check` tells it, a start does not. */
  readonly severity: 'error' | 'warning' | 'note';
  readonly message: string;
  readonly path: ConfigPath;
  readonly place: Place | null;
  /** What to do, as one short sentence; null when the message says it. */
  readonly remedy: string | null;
}
