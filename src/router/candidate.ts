/** One route as the router weighs it: its conditions beyond the path, and its rank among equals. */

import { fieldText } from '../wire/fields.ts';
import type { RequestHead } from '../wire/heads.ts';
import { type HostPattern, parseHost } from './host.ts';
import { type PathPattern, parsePattern } from './pattern.ts';
import type { RouteMatch } from './route-match.ts';

export const ENCODED_SLASH = 1;
export const DOUBLE_SLASH = 2;

export interface Candidate {
  readonly index: number;
  readonly pattern: PathPattern;
  readonly host: HostPattern;
  /** Null: all. HEAD stands here wherever GET does. */
  readonly methods: readonly string[] | null;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly query: readonly string[];
  /** Bits of ENCODED_SLASH and DOUBLE_SLASH. */
  readonly allow: number;
}

const flat = (map: Readonly<Record<string, string>>): string[] => Object.entries(map).flat();

/** Compiles one route. Throws an Error naming the route where its path or host is malformed. */
export function createCandidate(route: RouteMatch, index: number): Candidate {
  try {
    const { methods } = route;
    const pattern = parsePattern(route.path);
    const host = parseHost(route.host);
    const twice = host.names.find((name) => pattern.names.includes(name));
    if (twice !== undefined) throw new Error(`{${twice}} stands in the host and in the path`);
    return {
      index,
      pattern,
      host,
      methods:
        methods.length === 0
          ? null
          : methods.includes('GET') && !methods.includes('HEAD')
            ? [...methods, 'HEAD']
            : methods,
      headers: flat(route.headers).map((text, at) => (at % 2 === 0 ? text.toLowerCase() : text)),
      query: flat(route.query),
      allow:
        (route.allow.includes('encoded-slash') ? ENCODED_SLASH : 0) |
        (route.allow.includes('double-slash') ? DOUBLE_SLASH : 0),
    };
  } catch (error) {
    throw new Error(`Route ${route.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

const HOST_RANK = { exact: 0, parameters: 1, wildcard: 2, any: 3 } as const;

/**
 * The order among routes whose paths are equally specific: host (exact, then the longer literal ending, then
 * parameters before a wildcard, then any), more header and query conditions, methods before none, the file's order.
 */
export function compareCandidates(a: Candidate, b: Candidate): number {
  const rank = (candidate: Candidate) =>
    candidate.host.kind === 'exact' ? 0 : candidate.host.kind === 'any' ? 2 : 1;
  return (
    rank(a) - rank(b) ||
    (rank(a) === 1 ? b.host.suffix.length - a.host.suffix.length : 0) ||
    HOST_RANK[a.host.kind] - HOST_RANK[b.host.kind] ||
    b.headers.length + b.query.length - (a.headers.length + a.query.length) ||
    Number(a.methods === null) - Number(b.methods === null) ||
    a.index - b.index
  );
}

/** The first value of a query's parameter, decoded; null where it is absent. */
export function queryValue(query: string, name: string): string | null {
  return query === '' ? null : new URLSearchParams(query).get(name);
}

/** Whether the request has the headers and query parameters that the route asks for. */
export function conditionsHold(candidate: Candidate, head: RequestHead): boolean {
  const { headers, query } = candidate;
  for (let at = 0; at < headers.length; at += 2) {
    if (fieldText(head.fields, headers[at]!) !== headers[at + 1]) return false;
  }
  for (let at = 0; at < query.length; at += 2) {
    if (queryValue(head.query, query[at]!) !== query[at + 1]) return false;
  }
  return true;
}
