/** Path patterns as routes write them, taken apart into segments. */
import { canonicalPath } from './path.ts';
import type { RouteMatch } from './route-match.ts';

export interface PathPattern {
  /** Canonical text of each segment; null takes any one segment that is not empty. */
  readonly segments: readonly (string | null)[];
  /** Name of each null segment in order; null for `*`. */
  readonly names: readonly (string | null)[];
  /** Ends in `/**`: the segments themselves, and anything below them. */
  readonly deep: boolean;
}

const LOOSEST = { encodedSlash: true, doubleSlash: true };
const PARAMETER = /^\{([A-Za-z_][\w-]{0,63})\}$/;

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

/** Why no request can ever match the route's path, in a few words, or null where one can. */
export function patternProblem(route: Pick<RouteMatch, 'path' | 'allow'>): string | null {
  const { pattern, problem } = parse(route.path);
  if (pattern === null) return problem;
  if (pattern.segments.some((text) => text?.includes('%2F')) && !route.allow.includes('encoded-slash'))
    return 'a path with %2F is refused unless the route says allow: [encoded-slash]';
  if (pattern.segments.slice(0, -1).includes('') && !route.allow.includes('double-slash'))
    return 'a path with // is refused unless the route says allow: [double-slash]';
  return null;
}

/** Whether a canonical path fits, by walking its segments; the router itself is faster. */
export function patternFits(pattern: PathPattern, path: string): boolean {
  const parts = path.slice(1).split('/');
  const { segments, deep } = pattern;
  if (segments.length === 0) return deep || path === '/';
  if (deep ? parts.length < segments.length : parts.length !== segments.length) return false;
  return segments.every((text, at) => (text === null ? parts[at] !== '' : text === parts[at]));
}
