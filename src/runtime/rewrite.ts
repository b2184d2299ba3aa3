/** The path that goes upstream: a prefix taken off, or a pattern filled with the route's parameters. */

type Params = Readonly<Record<string, string>>;

/** Gives the new path, or null where it would be ambiguous. */
export type Rewrite = (path: string, params: Params) => string | null;

const stripPrefix = (prefix: string): Rewrite => {
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  return (path) => {
    if (!path.startsWith(bare)) return path;
    const rest = path.slice(bare.length);
    if (rest === '') return '/';
    return rest.startsWith('/') ? rest : path;
  };
};

const fillPattern = (pattern: string): Rewrite => {
  const pieces = pattern.split(/\{([^}]+)\}/);
  return (_path, params) => {
    let path = pieces[0]!;
    for (let at = 1; at < pieces.length; at += 2) {
      const value = params[pieces[at]!];
      // A dot segment from a parameter would climb out of the pattern.
      if (value === undefined || value === '' || value === '.' || value === '..' || /[/\\]/.test(value))
        return null;
      path += encodeURIComponent(value) + pieces[at + 1]!;
    }
    return path;
  };
};

/** The rewrite that a route asks for, or null when it forwards the path as it is. */
export function createRewrite(route: { stripPrefix: string | null; rewrite: string | null }): Rewrite | null {
  if (route.rewrite !== null) return fillPattern(route.rewrite);
  return route.stripPrefix === null ? null : stripPrefix(route.stripPrefix);
}
