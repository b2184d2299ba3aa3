/** From YAML text to plain values with their spots: interpolated, merged, without prototypes, bounded. */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type Interpolated, interpolate, typed, type Values } from './interpolate.ts';
import type { Report } from './report.ts';
import { placeAt } from './source.ts';
import type { Spot } from './spot.ts';
import { aliasTrap, colonTrap, syntaxTrap } from './traps.ts';

/** Levels of maps and lists in each other. */
const MAX_DEPTH = 64;
/** Values that aliases may stand for, all together: what stops a bomb of anchors. */
const MAX_ALIASED = 20_000;

interface Read {
  readonly value: unknown;
  readonly spot: Spot;
}

const leaf = (key: number | null, value: number): Spot => ({
  key,
  rawKey: null,
  value,
  raw: null,
  text: null,
  children: null,
});

const offsetOf = (node: { range?: readonly number[] | null } | null, otherwise: number): number =>
  node?.range?.[0] ?? otherwise;

const keyText = (node: unknown): string => {
  if (!isScalar(node)) return '';
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
};

class Reader {
  readonly #report: Report;
  readonly #values: Values | null;
  readonly #anchors = new Map<string, unknown>();
  readonly #open = new Set<unknown>();
  #aliased = 0;
  #insideAlias = 0;
  #tooMany = false;

  constructor(report: Report, values: Values | null) {
    this.#report = report;
    this.#values = values;
  }

  read(node: unknown, key: number | null, depth: number): Read {
    const around = key ?? 0;
    if (isAlias(node)) return this.#alias(node, key, depth);
    if (this.#insideAlias > 0 && ++this.#aliased > MAX_ALIASED)
      return { value: null, spot: leaf(key, around) };
    if (isScalar(node)) return this.#scalar(node, key);
    if (!isMap(node) && !isSeq(node)) return { value: null, spot: leaf(key, around) };
    const offset = offsetOf(node, around);
    if (depth >= MAX_DEPTH) {
      this.#report.at(offset, { message: `maps and lists stand more than ${MAX_DEPTH} deep in each other` });
      return { value: null, spot: leaf(key, offset) };
    }
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    this.#open.add(node);
    const children = new Map<string | number, Spot>();
    const value = isMap(node)
      ? this.#map(node, children, depth)
      : node.items.map((item, at) => {
          const read = this.read(item, null, depth + 1);
          children.set(at, read.spot);
          return read.value;
        });
    this.#open.delete(node);
    return { value, spot: { ...leaf(key, offset), children } };
  }

  #scalar(node: Scalar, key: number | null): Read {
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    const offset = offsetOf(node, key ?? 0);
    if (this.#values === null || typeof node.value !== 'string' || !node.value.includes('${'))
      return { value: node.value, spot: leaf(key, node.value === null ? (key ?? offset) : offset) };
    const done = this.#interpolate(node.value, offset, this.#values);
    const value =
      node.type === 'PLAIN' && done.whole && done.changed && !done.fromFile ? typed(done.text) : done.text;
    const text = typeof value === 'string' ? null : done.text;
    return {
      value,
      spot: { ...leaf(key, offset), raw: done.changed ? node.value : null, text },
    };
  }

  #interpolate(text: string, offset: number, values: Values): Interpolated {
    const done = interpolate(text, values);
    for (const problem of done.problems) this.#report.at(offset, problem);
    return done;
  }

  #alias(node: Alias, key: number | null, depth: number): Read {
    const offset = offsetOf(node, key ?? 0);
    const nothing = { value: null, spot: leaf(key, offset) };
    if (this.#tooMany) return nothing;
    const target = this.#anchors.get(node.source);
    if (target === undefined) this.#report.at(offset, aliasTrap(node.source));
    else if (this.#open.has(target))
      this.#report.at(offset, { message: `\`*${node.source}\` stands inside itself` });
    if (target === undefined || this.#open.has(target)) return nothing;
    this.#insideAlias++;
    const read = this.read(target, key, depth);
    this.#insideAlias--;
    if (this.#aliased <= MAX_ALIASED) return read;
    this.#tooMany = true;
    if (this.#insideAlias === 0)
      this.#report.at(offset, { message: `the aliases stand for more than ${MAX_ALIASED} values` });
    return nothing;
  }

  #map(node: YAMLMap, children: Map<string | number, Spot>, depth: number): unknown {
    const value: Record<string, unknown> = Object.create(null);
    const merges: Pair[] = [];
    for (const pair of node.items) {
      const offset = offsetOf(pair.key as Scalar, offsetOf(node, 0));
      const key = this.#key(pair, offset, node.flow === true);
      if (key === null) this.#report.incomplete(offsetOf(node, 0));
      if (key === '<<' && isScalar(pair.key) && pair.key.type === 'PLAIN') merges.push(pair);
      else if (key !== null && children.has(key)) {
        this.#report.at(offset, {
          message: 'this key stands here twice',
          remedy: 'Delete one of the two, or put them together.',
        });
      } else if (key !== null) {
        const read = this.read(pair.value, offset, depth + 1);
        const written = keyText(pair.key);
        children.set(key, written === key ? read.spot : { ...read.spot, rawKey: written });
        value[key] = read.value;
      }
    }
    for (const pair of merges) this.#merge(pair, value, children, depth);
    return value;
  }

  /** `<<: *base` and `<<: [*a, *b]`: what is written out wins, then the first that has it. */
  #merge(
    pair: Pair,
    into: Record<string, unknown>,
    children: Map<string | number, Spot>,
    depth: number,
  ): void {
    const offset = offsetOf(pair.key as Scalar, 0);
    const { value, spot } = this.read(pair.value, offset, depth + 1);
    const sources = Array.isArray(value)
      ? value.map((v, at) => [v, spot.children?.get(at)] as const)
      : [[value, spot] as const];
    for (const [source, from] of sources) {
      if (typeof source !== 'object' || source === null || Array.isArray(source)) {
        this.#report.at(offset, { message: '`<<` takes a map, or a list of maps' });
        continue;
      }
      for (const [key, entry] of Object.entries(source)) {
        const child = from?.children?.get(key);
        if (children.has(key) || child === undefined) continue;
        children.set(key, child);
        into[key] = entry;
      }
    }
  }

  /** A key as text, or null where it was refused. */
  #key(pair: Pair, offset: number, flow: boolean): string | null {
    const node = pair.key;
    if (!isScalar(node)) {
      this.#report.at(
        offset,
        isAlias(node)
          ? aliasTrap(node.source)
          : { message: 'a key must be plain text', remedy: 'Put quotes around it.' },
      );
      return null;
    }
    let key = keyText(node);
    const trap = flow && pair.value === null && node.type === 'PLAIN' ? colonTrap(key) : null;
    if (trap !== null) this.#report.at(offset, trap);
    if (trap !== null) return null;
    if (this.#values !== null && key.includes('${')) {
      const done = this.#interpolate(key, offset, this.#values);
      if (done.fromFile) this.#report.at(offset, { message: 'a key cannot come from a file' });
      if (done.problems.length > 0 || done.fromFile) return null;
      key = done.text;
    }
    if (key !== '__proto__') return key;
    this.#report.at(offset, { message: '`__proto__` cannot be a key' });
    return null;
  }
}

/** One mistake often gives a row of errors: the first of each line tells, ten lines at most. */
const reportSyntax = (report: Report, errors: readonly YAMLError[]): void => {
  const lines = new Set<number>();
  const sorted = [...errors].sort((a, b) => a.pos[0] - b.pos[0]);
  for (const error of sorted) {
    if (error.code === 'MULTILINE_IMPLICIT_KEY' && sorted.length > 1) continue;
    if (error.code === 'BAD_INDENT' && lines.size > 0) continue;
    const trap = syntaxTrap(error.code, error.pos[0], report.source.text);
    const { line } = placeAt(report.source, trap.offset);
    if (lines.has(line) || lines.size >= 10) continue;
    lines.add(line);
    report.at(trap.offset, trap);
  }
};

/**
 * Reads the one document of a file; null when its syntax is wrong, which the report then says.
 * @param values what `${…}` stands for; null: for nothing, it is text as any other
 */
export function readDocument(report: Report, values: Values | null): Read | null {
  const { text } = report.source;
  try {
    // Its own check of unique keys costs the square of their number; ours does not.
    const document = parseDocument(text, {
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
      merge: false,
    });
    reportSyntax(report, [...document.errors, ...document.warnings]);
    if (report.failed) return null;
    const read = new Reader(report, values).read(document.contents, null, 0);
    report.root = read.spot;
    return read;
  } catch (error) {
    // The parser recurses; only input made for it goes so deep.
    if (!(error instanceof RangeError)) throw error;
    report.at(0, { message: 'maps and lists stand too deep in each other' });
    return null;
  }
}
