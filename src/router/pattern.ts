/** Path patterns as routes write them, taken apart into segments. */
import { canonicalPath } from './path.ts';

export interface PathPattern {
  /** Canonical text of each segment; null takes any one segment that is not empty. */
  readonly segments: readonly (string | null)[];
  /** Name of each null segment in order; null for `*`. */
  readonly names: readonly (string | null)[];
  /** Ends in `/**`: the segments themselves, and anything below them. */
  readonly deep: boolean;
}

const LOOSEST = { encodedSlash: true, doubleSlash: true };
const PARAMETER = /^\{([A-Za-z_][\w-]*)\}$/;

interface Parsed {
  readonly pattern: PathPattern | null;
  readonly problem: string;
}

const wrong = (problem: string): Parsed => ({ pattern: null, problem });

/** People may write a path as they read it; requests carry it encoded (RFC 3987 section 3.1). */
const encodeIri = (text: string): string =>
  text.replace(/[^\x21-\x7e]+/g, (part) => encodeURIComponent(part.toWellFormed()));

const parse = (path: string): Parsed => {
  if (!path.startsWith('/')) return wrong('a path begins with /');
  const deep = path === '/**' || path.endsWith('/**');
  const body = deep ? path.slice(0, -3) : path;
  const segments: (string | null)[] = [];
  const names: (string | null)[] = [];
  for (const text of body === '' ? [] : body.slice(1).split('/')) {
    if (text === '**') return wrong('** can only be the last segment');
    const parameter = PARAMETER.exec(text);
    if (text === '*' || parameter !== null) {
      const name = parameter?.[1] ?? null;
      if (name !== null && names.includes(name)) return wrong(`the parameter {${name}} stands there twice`);
      segments.push(null);
      names.push(name);
      continue;
    }
    if (/[*{}]/.test(text)) return wrong(`a parameter or * is a whole segment, unlike in ${text}`);
    const canonical = canonicalPath(`/${encodeIri(text)}`, LOOSEST);
    if (canonical === null || text === '.' || text === '..')
      return wrong(`no request can have the segment ${text}`);
    segments.push(canonical.slice(1));
  }
  if (deep && segments.at(-1) === '') return wrong('/** stands behind one slash');
  return { pattern: { segments, names, deep }, problem: '' };
};

/** Takes a pattern apart. Throws an Error that says what is wrong with it. */
export function parsePattern(path: string): PathPattern {
  const { pattern, problem } = parse(path);
  if (pattern === null) throw new Error(`${path}: ${problem}`);
  return pattern;
}

/** Whether a canonical path fits, by walking its segments; the router itself is faster. */
export function patternFits(pattern: PathPattern, path: string): boolean {
  const parts = path.slice(1).split('/');
  const { segments, deep } = pattern;
  if (segments.length === 0) return deep || path === '/';
  if (deep ? parts.length < segments.length : parts.length !== segments.length) return false;
  return segments.every((text, at) => (text === null ? parts[at] !== '' : text === parts[at]));
}

/** Rank of a segment: an exact end, literal text, a parameter or `*`, what `/**` takes. */
const rankAt = (pattern: PathPattern, at: number): number => {
  if (at >= pattern.segments.length) return pattern.deep ? 3 : 0;
  return pattern.segments[at] === null ? 2 : 1;
};

/** Negative where `a` is the more specific of two patterns that fit one path: the first segment that differs decides. */
export function comparePatterns(a: PathPattern, b: PathPattern): number {
  const length = Math.max(a.segments.length, b.segments.length);
  for (let at = 0; at <= length; at++) {
    const order = rankAt(a, at) - rankAt(b, at);
    if (order !== 0) return order;
  }
  return 0;
}

const lowerCase = (pattern: PathPattern): PathPattern => ({
  ...pattern,
  segments: pattern.segments.map((text) => text?.toLowerCase() ?? null),
});

/** What small thing keeps a path from fitting, in one sentence, or null where it is no small thing. */
export function nearMiss(pattern: PathPattern, path: string): string | null {
  if (path !== '/' && path.endsWith('/') && patternFits(pattern, path.slice(0, -1)))
    return 'it fits without the slash at the end';
  if (patternFits(pattern, `${path}/`)) return 'it fits with a slash at the end';
  if (patternFits(lowerCase(pattern), path.toLowerCase())) return 'it fits but for upper and lower case';
  if (pattern.segments.length > 0 && path !== '/' && patternFits({ ...pattern, deep: true }, path))
    return 'the path goes on where the route ends; a route that ends in /** takes what is below it';
  return null;
}
