/** Reads the values of a file by the schema, part by part, so that one mistake hides no other. */
import type { z } from 'zod';
import type { Report } from './report.ts';
import {
  type RootInput,
  type RouteInput,
  rootShape,
  routeSchema,
  type UpstreamInput,
  upstreamSchema,
} from './schema.ts';
import { spotAt } from './spot.ts';
import type { ConfigPath } from './types.ts';
import { reportZod, unknownKey, wantsText } from './zod-issues.ts';

/** What could be read of one upstream or route. */
export interface Part<T> {
  readonly input: T;
  /** Keys that were left out because they were wrong. */
  readonly lost: ReadonlySet<string>;
}

/** What could be read; what could not is reported and absent (or null in its list). */
export interface Parsed {
  readonly root: Partial<Omit<RootInput, 'upstreams' | 'routes'>>;
  readonly upstreams: ReadonlyMap<string, Part<UpstreamInput> | null>;
  readonly routes: readonly (Part<RouteInput> | null)[];
}

type Entries = Record<string | number, unknown>;

const isMap = (value: unknown): value is Record<string, unknown> =>
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
const parsePart = <S extends z.ZodType>(
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
const parseMap = <S extends z.ZodType>(
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

const readUpstreams = (report: Report, holder: Record<string, unknown>): Parsed['upstreams'] => {
  const found = new Map<string, Part<UpstreamInput> | null>();
  const entries = holder.upstreams ?? {};
  if (!isMap(entries)) parsePart(report, rootShape.upstreams, holder, ['upstreams']);
  else
    for (const name of Object.keys(entries))
      found.set(name, parseMap(report, upstreamSchema, entries, ['upstreams', name]));
  return found;
};

const readRoutes = (report: Report, holder: Record<string, unknown>): Parsed['routes'] => {
  const entries = holder.routes ?? [];
  if (Array.isArray(entries))
    return entries.map((_entry, at) => parseMap(report, routeSchema, entries, ['routes', at]));
  parsePart(report, rootShape.routes, holder, ['routes']);
  return [];
};

const emptyProblem = {
  message: 'the file is empty',
  remedy: 'A first route: `routes: [{ path: /**, upstream: "http://127.0.0.1:9000" }]`.',
};

/** Parses the value of a document; null when it is no map of keys at all. */
export function parseRoot(report: Report, value: unknown): Parsed | null {
  if (value === null || value === undefined) {
    report.on([], emptyProblem);
    return null;
  }
  if (!isMap(value)) {
    const glued = typeof value === 'string' && /^\w+:\S/.test(value);
    report.on([], {
      message: Array.isArray(value)
        ? 'the file is a list, not a map of keys'
        : 'the file is not a map of keys',
      remedy: glued ? 'Put a space after the colon.' : 'Begin with keys such as `listen:` and `routes:`.',
    });
    return null;
  }
  const keys = Object.keys(rootShape);
  for (const key of Object.keys(value))
    if (!keys.includes(key)) report.onKey([key], unknownKey(report, [key], keys));
  const root: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(rootShape))
    if (key !== 'upstreams' && key !== 'routes')
      root[key] = parseMap(report, schema as z.ZodType, value, [key])?.input;
  return { root, upstreams: readUpstreams(report, value), routes: readRoutes(report, value) };
}
