/** Routes that can never match, because others in the list take all that they could. */
import { type Candidate, createCandidate } from './candidate.ts';
import { shapesOf } from './engine.ts';
import type { RouteMatch } from './route-match.ts';

export interface Shadow {
  /** The route that never matches. */
  readonly index: number;
  /** The route that takes its requests; the first of them where it takes several. */
  readonly by: number;
  /** A few words for the one who wrote the file. */
  readonly reason: string;
}

/** Only routes that agree in all of this can hide one another: any other difference ranks one and leaves the rest. */
const keyOf = (route: Candidate): string => {
  const { here, below } = shapesOf(route.pattern);
  const { kind, suffix, labels } = route.host;
  const pairs = (flat: readonly string[]) =>
    flat.flatMap((text, at) => (at % 2 === 0 ? [[text, flat[at + 1]]] : [])).sort();
  return JSON.stringify([here, below, kind, suffix, labels, pairs(route.headers), pairs(route.query)]);
};

const compile = (route: RouteMatch, index: number): Candidate | null => {
  try {
    return createCandidate(route, index);
  } catch (error) {
    // What is malformed is somebody else's to report; it hides nothing.
    if (error instanceof Error) return null;
    throw error;
  }
};

const hidden = (route: Candidate, earlier: readonly Candidate[]): Shadow | null => {
  const takers = earlier.filter((one) => (one.allow & route.allow) === route.allow);
  const { methods, index } = route;
  if (methods === null) {
    const by = takers.find((one) => one.methods === null);
    return by === undefined ? null : { index, by: by.index, reason: 'it wants the same and stands earlier' };
  }
  const named = methods.map((method) => takers.find((one) => one.methods?.includes(method)));
  const first = named[0];
  if (first === undefined || named.includes(undefined)) return null;
  const several = new Set(named).size > 1;
  return {
    index,
    by: first.index,
    reason: several
      ? 'together with others it takes each of the methods'
      : 'it takes these methods and stands earlier',
  };
};

/** The routes of a list that no request can reach, in its order. Malformed ones are passed over. */
export function shadowed(routes: readonly RouteMatch[]): Shadow[] {
  const seen = new Map<string, Candidate[]>();
  const shadows: Shadow[] = [];
  routes.forEach((route, index) => {
    const candidate = compile(route, index);
    if (candidate === null) return;
    const key = keyOf(candidate);
    const earlier = seen.get(key) ?? [];
    const shadow = hidden(candidate, earlier);
    if (shadow !== null) shadows.push(shadow);
    else seen.set(key, [...earlier, candidate]);
  });
  return shadows;
}
