/** The engine behind the router: find-my-way finds shapes of paths and backtracks, we decide the rest. */
import FindMyWay from 'find-my-way';
import type { PathPattern } from './pattern.ts';

/** What a shape of path leads to. */
export interface Place<S> {
  /** Whether something here fits the search; else the engine goes on to a less specific shape. */
  choose(search: S): boolean;
}

/** Values of parameters as p0, p1, …; percent signs are still masked. */
export type Captured = Readonly<Record<string, string | undefined>>;

/** Finds the most specific shape whose place accepts the search; null where none does. */
export type Engine<S> = (path: string, search: S) => Captured | null;

/**
 * Stands for `%` inside the engine, which would otherwise decode (and so match) a path a second time, and refuse
 * one that is not UTF-8. No canonical path contains it.
 */
const MASK = '\u0002';

/** The value as it stood in the path. */
export const unmask = (value: string): string => (value.includes(MASK) ? value.replaceAll(MASK, '%') : value);

const literal = (text: string): string => text.replaceAll('%', MASK).replaceAll(':', '::');

/** A pattern in the engine's language: the place itself and, for `/**`, all below it; equal for equal shapes. */
export function shapesOf(pattern: PathPattern): { readonly here: string; readonly below: string | null } {
  let parameters = 0;
  const parts = pattern.segments.map((text) => (text === null ? `:p${parameters++}` : literal(text)));
  const here = `/${parts.join('/')}`;
  return { here, below: pattern.deep ? `${parts.length === 0 ? '' : here}/*` : null };
}

/** Builds the engine over places by shape. */
export function createEngine<S>(places: ReadonlyMap<string, Place<S>>): Engine<S> {
  const finder = FindMyWay({
    // A parameter longer than this would fall through to a wider route, past the policies of its own.
    maxParamLength: Number.MAX_SAFE_INTEGER,
    querystringParser: () => null as never,
    constraints: {
      // Each shape has one handler whose constraint is the place: a constraint that fails backtracks, and the
      // engine's limit of 31 handlers a node is never met.
      place: {
        name: 'place',
        deriveConstraint: () => undefined as never,
        storage() {
          let place: Place<S> | null = null;
          let mask: unknown = 0;
          return {
            get: (search: unknown) => (place?.choose(search as S) ? (mask as never) : (0 as never)),
            set(value: unknown, bits: unknown) {
              place = value as Place<S>;
              mask = bits;
            },
          };
        },
      },
    },
  });
  const handler = () => undefined;
  for (const [shape, place] of places) finder.on('GET', shape, { constraints: { place } }, handler);

  // The engine reads the search from here; it is set for each call, which never waits.
  const derived: { place: S | undefined } = { place: undefined };
  return (path, search) => {
    derived.place = search;
    const found = finder.find('GET', path.includes('%') ? path.replaceAll('%', MASK) : path, derived);
    derived.place = undefined;
    return found === null ? null : found.params;
  };
}
