/** Reads the values of a file by the schema, part by part. */
import type { z } from 'zod';
import { isMap, type Part, parseMap, parsePart } from './parse-part.ts';
import { parseRegistries, type RegistryPart } from './registries/parse.ts';
import type { Report } from './report.ts';
import {
  type RootInput,
  type RouteInput,
  rootShape,
  routeSchema,
  type UpstreamInput,
  upstreamSchema,
} from './schema.ts';
import { unknownKey } from './zod-issues.ts';

/** What could be read; what could not is reported and absent (or null in its list). */
export interface Parsed {
  readonly root: Partial<Omit<RootInput, 'registries' | 'upstreams' | 'routes'>>;
  readonly registries: ReadonlyMap<string, RegistryPart | null>;
  readonly upstreams: ReadonlyMap<string, Part<UpstreamInput> | null>;
  readonly routes: readonly (Part<RouteInput> | null)[];
}

/** Keys of the root whose entries are parsed one by one. */
const APART = new Set(['registries', 'upstreams', 'routes']);

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
    if (!APART.has(key)) root[key] = parseMap(report, schema as z.ZodType, value, [key])?.input;
  return {
    root,
    registries: parseRegistries(report, value),
    upstreams: readUpstreams(report, value),
    routes: readRoutes(report, value),
  };
}
