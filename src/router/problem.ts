/** What is wrong with a route by itself: a malformed path or host, or one that no request can have. */
import { parseHost } from './host.ts';
import { parsePattern } from './pattern.ts';
import type { RouteMatch } from './route-match.ts';

/** In a few words why the route cannot be built or never matches, or null where nothing is wrong. */
export function routeProblem(route: Pick<RouteMatch, 'path' | 'host' | 'allow'>): string | null {
  try {
    const pattern = parsePattern(route.path);
    const host = parseHost(route.host);
    const twice = host.names.find((name) => pattern.names.includes(name));
    if (twice !== undefined) return `{${twice}} stands in the host and in the path`;
    if (pattern.segments.some((text) => text?.includes('%2F')) && !route.allow.includes('encoded-slash'))
      return 'a path with %2F is refused unless the route says allow: [encoded-slash]';
    if (pattern.segments.slice(0, -1).includes('') && !route.allow.includes('double-slash'))
      return 'a path with // is refused unless the route says allow: [double-slash]';
    return null;
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}
