/** Which route a request goes: the most specific path, then host, conditions, methods, the file's order. */
import type { RequestHead } from '../wire/heads.ts';
import { type Candidate, createCandidate, DOUBLE_SLASH, ENCODED_SLASH } from './candidate.ts';
import { type Captured, createEngine, shapesOf, unmask } from './engine.ts';
import { type Explanation, explainMatch } from './explain.ts';
import { Group, type Search } from './group.ts';
import { hostOf } from './host.ts';
import type { Match, Params } from './match.ts';
import { canonicalPath } from './path.ts';
import type { RouteMatch } from './route-match.ts';

export type { Match, Params } from './match.ts';
export type { RouteMatch } from './route-match.ts';

export interface Router {
  /**
   * Finds the route for a head as it came: `path` raw, without the query. Among the routes that fit, segment by
   * segment from the left: literal text, then a parameter or `*`, then `/**`; then the host: exact, `{x}.example`,
   * `*.example` (a longer ending first), any; then more header and query conditions; then one that names its
   * methods; then the file's order. A route that doesn't fit in every respect is passed over for a wider one.
   * HEAD is served where GET is. A CORS preflight goes where the request that it announces would, or else to the
   * first route that fits but for its methods.
   */
  match(head: RequestHead): Match;
  /** Why each route did or did not get it, near misses included; slow. */
  explain(head: RequestHead): Explanation;
}

const BAD_PATH: Match = Object.freeze({ kind: 'bad-path' });
/**
 * An object without a prototype's names, as `Object.create(null)` gives, but one that the engine keeps fast:
 * that one is a hash table from its first property.
 */
class Values {
  [name: string]: string;
}
Object.setPrototypeOf(Values.prototype, null);
delete (Values.prototype as { constructor?: unknown }).constructor;

const NONE: Params = Object.freeze(new Values());
const PARAMETER_KEYS = Array.from({ length: 128 }, (_, at) => `p${at}`);

const STRICT = { encodedSlash: false, doubleSlash: false };
const LOOSER = [
  { needs: ENCODED_SLASH, allow: { encodedSlash: true, doubleSlash: false } },
  { needs: DOUBLE_SLASH, allow: { encodedSlash: false, doubleSlash: true } },
  { needs: ENCODED_SLASH | DOUBLE_SLASH, allow: { encodedSlash: true, doubleSlash: true } },
];

const decode = (text: string): string | null => {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
};

/** Null where a value is not UTF-8: two spellings would otherwise give one value to policies. */
const paramsOf = (route: Candidate, captured: Captured, host: string): Params | null => {
  const { names } = route.pattern;
  const hostNames = route.host.names;
  if (names.length === 0 && hostNames.length === 0) return NONE;
  const params = new Values();
  if (hostNames.length > 0) {
    const parts = host.split('.');
    let next = 0;
    route.host.labels.forEach((label, at) => {
      if (label === null) params[hostNames[next++]!] = parts[at]!;
    });
  }
  for (let at = 0; at < names.length; at++) {
    const name = names[at]!;
    if (name === null) continue;
    const value = decode(unmask(captured[PARAMETER_KEYS[at]!]!));
    if (value === null) return null;
    params[name] = value;
  }
  return params;
};

const isPreflight = (head: RequestHead): boolean =>
  head.method === 'OPTIONS' &&
  head.fields.origin !== undefined &&
  head.fields['access-control-request-method'] !== undefined;

const createGroups = (candidates: readonly Candidate[]): Map<string, Group> => {
  const lists = new Map<string, { exact: Candidate[]; deep: Candidate[] }>();
  const at = (shape: string) => {
    const list = lists.get(shape) ?? { exact: [], deep: [] };
    lists.set(shape, list);
    return list;
  };
  for (const candidate of candidates) {
    const { here, below } = shapesOf(candidate.pattern);
    if (below === null) at(here).exact.push(candidate);
    else {
      at(here).deep.push(candidate);
      at(below).deep.push(candidate);
    }
  }
  return new Map([...lists].map(([shape, { exact, deep }]) => [shape, new Group(exact, deep)]));
};

/** Builds the router. Throws an Error that names the route whose path or host is malformed. */
export function createRouter(routes: readonly RouteMatch[]): Router {
  const candidates = routes.map(createCandidate);
  const engine = createEngine<Search>(createGroups(candidates));
  const anyHost = candidates.every((candidate) => candidate.host.kind === 'any');
  const search: Search = {
    head: null as never,
    host: '',
    path: '',
    needs: 0,
    empties: false,
    method: '',
    anyMethod: false,
    orOptions: false,
    found: null,
    refused: [],
  };

  const find = (): Match | null => {
    const captured = engine(search.path, search);
    const route = search.found;
    if (captured === null || route === null) return null;
    const params = paramsOf(route, captured, search.host);
    return params === null ? BAD_PATH : { kind: 'found', index: route.index, params, path: search.path };
  };

  const methodRefused = (): Match | null => {
    const first = search.refused[0];
    if (first === undefined) return null;
    const allow = new Set(search.refused.flatMap((route) => route.methods ?? []));
    return { kind: 'method', allow: [...allow].sort(), index: first.index, path: search.path };
  };

  const findPreflight = (): Match | null => {
    const asked = search.head.fields['access-control-request-method'];
    search.method = typeof asked === 'string' ? asked : 'OPTIONS';
    search.orOptions = true;
    const match = find();
    if (match !== null) return match;
    search.anyMethod = true;
    return find();
  };

  const run = (path: string, needs: number): Match | null => {
    const { head } = search;
    search.path = path;
    search.needs = needs;
    search.empties =
      path.charCodeAt(path.length - 1) === 47 || ((needs & DOUBLE_SLASH) !== 0 && path.includes('//'));
    search.method = head.method;
    search.anyMethod = false;
    search.orOptions = false;
    return (isPreflight(head) ? findPreflight() : find()) ?? methodRefused();
  };

  const runLooser = (raw: string): Match => {
    for (const { needs, allow } of LOOSER) {
      const path = canonicalPath(raw, allow);
      if (path !== null) return run(path, needs) ?? BAD_PATH;
    }
    return BAD_PATH;
  };

  const match = (head: RequestHead): Match => {
    search.head = head;
    search.host = anyHost ? '' : hostOf(head.authority);
    const path = canonicalPath(head.path, STRICT);
    const result = path === null ? runLooser(head.path) : (run(path, 0) ?? { kind: 'not-found', path });
    search.head = null as never;
    search.found = null;
    if (search.refused.length > 0) search.refused = [];
    return result;
  };

  return {
    match,
    explain: (head) =>
      explainMatch({
        routes,
        candidates,
        head,
        host: hostOf(head.authority),
        preflight: isPreflight(head),
        match: match(head),
      }),
  };
}
