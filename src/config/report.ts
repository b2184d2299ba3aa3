/** Collects what is wrong while a configuration is read, each with its place, each once. */
import type { Issue } from './issues.ts';
import { placeAt, type Source } from './source.ts';
import { type Spot, spotAt } from './spot.ts';
import type { ConfigPath } from './types.ts';

export interface Problem {
  readonly message: string;
  readonly remedy?: string | null | undefined;
  /** A remedy that quotes nothing of the value: told instead where the value came from a `${…}`. */
  readonly general?: string | null | undefined;
}

type Severity = Exclude<Issue['severity'], 'note'>;

/** Errors that are told, and as many warnings; more are of no help to anybody. */
const MAX_TOLD = 100;

const NOWHERE: Spot = { key: null, rawKey: null, value: 0, raw: null, text: null, children: null };

export class Report {
  readonly source: Source;
  /** Set once the document is read. */
  root: Spot = NOWHERE;
  readonly #seen = new Set<string>();
  /** Offsets of values that could not be read: what the schema says of them would only be noise. */
  readonly #unread = new Set<number>();
  readonly #told = { error: [] as Issue[], warning: [] as Issue[] };
  readonly #left = { error: 0, warning: 0 };

  constructor(source: Source) {
    this.source = source;
  }

  get failed(): boolean {
    return this.#told.error.length > 0;
  }

  /** All that was found, in the order of the file. */
  issues(): Issue[] {
    const order = (issue: Issue) =>
      (issue.place?.line ?? 0) * 100_000 + Math.min(issue.place?.column ?? 0, 99_999);
    const all = [...this.#told.error, ...this.#told.warning].sort((a, b) => order(a) - order(b));
    for (const severity of ['error', 'warning'] as const) {
      const left = this.#left[severity];
      if (left > 0) all.push({ severity, message: `and ${left} more`, path: [], place: null, remedy: null });
    }
    return all;
  }

  /** Reports what cannot be read at an offset of the text. */
  at(offset: number, problem: Problem): void {
    this.#unread.add(offset);
    this.#add(offset, [], problem, 'error');
  }

  /** Part of the value at this offset is lost: what the schema says of it would only be noise. */
  incomplete(offset: number): void {
    this.#unread.add(offset);
  }

  /** Reports at the value of a path, or at what stands around it. */
  on(path: ConfigPath, problem: Problem, severity: Severity = 'error'): void {
    const { spot } = spotAt(this.root, path);
    if (!this.#unread.has(spot.value)) this.#add(spot.value, path, discreet(spot, problem), severity);
  }

  /** Reports at the key of a path. */
  onKey(path: ConfigPath, problem: Problem, severity: Severity = 'error'): void {
    const { spot } = spotAt(this.root, path);
    const about = spot.key === null ? spot : { ...spot, raw: null };
    this.#add(spot.key ?? spot.value, path, discreet(about, problem), severity);
  }

  /** Reports something that works but is risky or pointless. */
  warn(path: ConfigPath, problem: Problem): void {
    this.on(path, problem, 'warning');
  }

  /** A value as a message may show it: as the file has it, never what stood behind a `${…}`. */
  show(path: ConfigPath, value: unknown): string {
    const { spot, found } = spotAt(this.root, path);
    if (found && spot.raw !== null) return `\`${clip(spot.raw)}\``;
    if (Array.isArray(value)) return 'a list';
    if (typeof value === 'object' && value !== null) return 'a map';
    return `\`${clip(String(value))}\``;
  }

  /** Was something put in for `${…}` there? Then no message may quote the value. */
  isReplaced(path: ConfigPath): boolean {
    const { spot, found } = spotAt(this.root, path);
    return found && spot.raw !== null;
  }

  /** The key at the end of a path as a message may show it. */
  showKey(path: ConfigPath): string {
    const { spot, found } = spotAt(this.root, path);
    return `\`${clip((found ? spot.rawKey : null) ?? String(path.at(-1)))}\``;
  }

  /** A path with its keys as the file has them: a key may hold what was put in for `${…}`. */
  #written(path: ConfigPath): ConfigPath {
    let spot: Spot | undefined = this.root;
    return path.map((step) => {
      spot = spot?.children?.get(step);
      return spot?.rawKey ?? step;
    });
  }

  #add(offset: number, path: ConfigPath, problem: Problem, severity: Severity): void {
    const key = `${offset} ${severity} ${problem.message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const told = this.#told[severity];
    if (told.length >= MAX_TOLD) {
      this.#left[severity]++;
      return;
    }
    told.push({
      severity,
      message: problem.message,
      path: this.#written(path),
      place: placeAt(this.source, offset),
      remedy: problem.remedy ?? null,
    });
  }
}

/** A remedy often quotes the value or is derived from it; of what was put in for `${…}` none must be seen. */
const discreet = (spot: Spot, problem: Problem): Problem =>
  spot.raw === null && spot.rawKey === null ? problem : { ...problem, remedy: problem.general ?? null };

/** One line of at most 80 characters, without control characters. */
export function clip(text: string): string {
  const line = text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replace(/(\/\/)[^/\s@]*@/, '$1***@');
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
