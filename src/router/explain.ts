/** Why each route did or did not get a request, as plain data for people who wonder. */

import { fieldText } from '../wire/fields.ts';
import type { RequestHead } from '../wire/heads.ts';
import { type Candidate, compareCandidates, DOUBLE_SLASH, ENCODED_SLASH, queryValue } from './candidate.ts';
import { hostFits } from './host.ts';
import type { Match } from './match.ts';
import { canonicalPath, pathProblem } from './path.ts';
import { comparePatterns, nearMiss, patternFits } from './pattern.ts';
import type { RouteMatch } from './route-match.ts';

export interface Miss {
  readonly part: 'path' | 'host' | 'method' | 'header' | 'query' | 'allow';
  readonly wanted: string;
  readonly got: string;
}

export interface RouteVerdict {
  readonly index: number;
  readonly name: string;
  /** `near`: it failed by one small thing, which `why` names. */
  readonly outcome: 'won' | 'outranked' | 'near' | 'missed';
  /** Everything that didn't fit; empty where the route fits. */
  readonly misses: readonly Miss[];
  /** One sentence. */
  readonly why: string;
}

export interface Explanation {
  readonly match: Match;
  /** Canonical; null where it has no canonical form, and `problem` says why. */
  readonly path: string | null;
  readonly host: string;
  readonly problem: string | null;
  /** In the order of the routes given. */
  readonly routes: readonly RouteVerdict[];
}

/** What explaining needs from the router. */
export interface Question {
  readonly routes: readonly RouteMatch[];
  readonly candidates: readonly Candidate[];
  readonly head: RequestHead;
  readonly host: string;
  readonly preflight: boolean;
  readonly match: Match;
}

const ALLOWANCES = [
  [ENCODED_SLASH, 'encoded-slash', '%2F'],
  [DOUBLE_SLASH, 'double-slash', '//'],
] as const;

const LOOSEST = { encodedSlash: true, doubleSlash: true };

const needsOf = (raw: string): number => {
  const without = (allow: { encodedSlash: boolean; doubleSlash: boolean }) =>
    canonicalPath(raw, allow) === null;
  return (
    (without({ ...LOOSEST, encodedSlash: false }) ? ENCODED_SLASH : 0) |
    (without({ ...LOOSEST, doubleSlash: false }) ? DOUBLE_SLASH : 0)
  );
};

const missesOf = (candidate: Candidate, route: RouteMatch, { head, host, preflight }: Question): Miss[] => {
  const misses: Miss[] = [];
  const path = canonicalPath(head.path, LOOSEST);
  if (path === null || !patternFits(candidate.pattern, path))
    misses.push({ part: 'path', wanted: route.path, got: path ?? head.path });
  if (!hostFits(candidate.host, host)) misses.push({ part: 'host', wanted: route.host, got: host });
  if (candidate.methods !== null && !candidate.methods.includes(head.method) && !preflight)
    misses.push({ part: 'method', wanted: candidate.methods.join(', '), got: head.method });
  const { headers, query } = candidate;
  for (let at = 0; at < headers.length; at += 2) {
    const got = fieldText(head.fields, headers[at]!);
    if (got !== headers[at + 1])
      misses.push({ part: 'header', wanted: `${headers[at]}: ${headers[at + 1]}`, got: got ?? '' });
  }
  for (let at = 0; at < query.length; at += 2) {
    const got = queryValue(head.query, query[at]!);
    if (got !== query[at + 1])
      misses.push({ part: 'query', wanted: `${query[at]}=${query[at + 1]}`, got: got ?? '' });
  }
  if (path === null) return misses;
  const missing = needsOf(head.path) & ~candidate.allow;
  for (const [bit, word, text] of ALLOWANCES)
    if ((missing & bit) !== 0) misses.push({ part: 'allow', wanted: word, got: text });
  return misses;
};

const tell = ({ part, wanted, got }: Miss): string => {
  switch (part) {
    case 'path':
      return `the path ${got} does not fit ${wanted}`;
    case 'host':
      return `the host ${got === '' ? '(none)' : got} does not fit ${wanted}`;
    case 'method':
      return `it takes ${wanted}, not ${got}`;
    case 'header':
      return `it wants the header ${wanted}, and got ${got === '' ? 'none' : got}`;
    case 'query':
      return `it wants ${wanted} in the query, and got ${got === '' ? 'none' : got}`;
    case 'allow':
      return `the path contains ${got}, and the route does not say allow: [${wanted}]`;
  }
};

const outranked = (candidate: Candidate, winner: Candidate, name: string): string => {
  const weight = (one: Candidate) => one.headers.length + one.query.length;
  if (comparePatterns(winner.pattern, candidate.pattern) < 0)
    return `it fits, but the path of ${name} is more specific`;
  if (winner.host.kind !== candidate.host.kind || winner.host.suffix.length > candidate.host.suffix.length)
    return `it fits, but the host of ${name} is more specific`;
  if (weight(winner) > weight(candidate)) return `it fits, but ${name} has more conditions`;
  if (winner.methods !== null && candidate.methods === null) return `it fits, but ${name} names its methods`;
  if (compareCandidates(winner, candidate) < 0) return `it fits, but ${name} stands earlier in the file`;
  return `it fits, but ${name} takes the request that this preflight announces`;
};

/** Explains a match. The same question gives the same answer; nothing in it is alive. */
export function explainMatch(question: Question): Explanation {
  const { routes, candidates, head, host, match } = question;
  const path = 'path' in match ? match.path : canonicalPath(head.path, LOOSEST);
  const winner = match.kind === 'found' ? candidates[match.index]! : null;
  const verdicts = candidates.map((candidate): RouteVerdict => {
    const route = routes[candidate.index]!;
    const misses = missesOf(candidate, route, question);
    const verdict = (outcome: RouteVerdict['outcome'], why: string): RouteVerdict => ({
      index: candidate.index,
      name: route.name,
      outcome,
      misses,
      why,
    });
    if (candidate === winner) return verdict('won', 'it fits, and nothing more specific does');
    const [first, ...others] = misses;
    if (first === undefined) {
      if (winner !== null)
        return verdict('outranked', outranked(candidate, winner, routes[winner.index]!.name));
      return verdict('near', 'it fits, but a parameter in the path is not UTF-8');
    }
    if (others.length === 0 && first.part === 'path' && path !== null) {
      const near = nearMiss(candidate.pattern, path);
      if (near !== null) return verdict('near', near);
    }
    const near = others.length === 0 && first.part !== 'path' && first.part !== 'host';
    return verdict(near ? 'near' : 'missed', misses.map(tell).join('; '));
  });
  return {
    match,
    path,
    host,
    problem: match.kind === 'bad-path' ? pathProblem(head.path) : null,
    routes: verdicts,
  };
}
