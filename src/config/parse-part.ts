/** Parses one part of a file so that one mistake in it hides no other. */
import type { z } from 'zod';
import type { Report } from './report.ts';
import { spotAt } from './spot.ts';
import type { ConfigPath } from './types.ts';
import { reportZod, wantsText } from './zod-issues.ts';

/** What could be read of one upstream, route or registry. */
export interface Part<T> {
  readonly input: T;
  /** Keys that were left out because they were wrong. */
  readonly lost: ReadonlySet<string>;
}

type Entries = Record<string | number, unknown>;

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where `${…}` gave a number and text is wanted, takes the text; true when anything changed. */
const retype = (report: Report, holder: Entries, base: ConfigPath, paths: readonly ConfigPath[]): boolean => {
  let changed = false;
  for (const path of paths) {
    const { spot, found } = spotAt(report.root, [...base, ...path]);
    if (!found || spot.text === null) continue;
    let parent: unknown = holder;
    for (const step of [...base.slice(-1), ...path].slice(0, -1)) parent = (parent as Entries)[step];
    (parent as Entries)[(path.at(-1) ?? base.at(-1))!] = spot.text;
    changed = true;
  }
  return changed;
};

/** Parses `holder[key]`; undefined when it was wrong, which is then reported. */
export const parsePart = <S extends z.ZodType>(
  report: Report,
  schema: S,
  holder: unknown,
  path: ConfigPath,
): z.output<S> | undefined => {
  const parent = holder as Entries;
  const key = path.at(-1)!;
  let result = schema.safeParse(parent[key]);
  if (!result.success && retype(report, parent, path, wantsText(result.error.issues)))
    result = schema.safeParse(parent[key]);
  if (result.success) return result.data;
  reportZod({ report, value: parent[key], base: path }, result.error.issues);
  return undefined;
};

/** As `parsePart`, but a map is given without its wrong keys where the rest can stand, so that the rest is checked too. */
export const parseMap = <S extends z.ZodType>(
  report: Report,
  schema: S,
  holder: unknown,
  path: ConfigPath,
): Part<z.output<S>> | null => {
  const whole = parsePart(report, schema, holder, path);
  if (whole !== undefined) return { input: whole, lost: new Set() };
  const value = (holder as Entries)[path.at(-1)!];
  if (!isMap(value)) return null;
  const wrong = schema.safeParse(value).error?.issues ?? [];
  const lost = new Set(
    wrong.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : [String(issue.path[0])])),
  );
  const rest = Object.fromEntries(Object.entries(value).filter(([key]) => !lost.has(key)));
  const again = schema.safeParse(rest);
  return again.success ? { input: again.data, lost } : null;
};
