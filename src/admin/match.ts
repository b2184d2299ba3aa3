/** Finds the resources of a path; segments in braces stand for any text. */
import type { Resource } from './resource.ts';

export interface Matched {
  /** One for each method. */
  readonly resources: readonly Resource[];
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly segments: readonly string[];
  readonly resources: readonly Resource[];
}

const decode = (segment: string): string | null => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
};

const paramsIn = ({ segments }: Pattern, wanted: readonly string[]): Matched['params'] | null => {
  if (segments.length !== wanted.length) return null;
  const params: Record<string, string> = Object.create(null);
  for (const [at, segment] of segments.entries()) {
    const name = /^\{(.+)\}$/.exec(segment)?.[1];
    const text = decode(wanted[at]!);
    if (text === null || (name === undefined ? text !== segment : text === '')) return null;
    if (name !== undefined) params[name] = text;
  }
  return params;
};

/** Makes the matcher of a list of resources; it gives null where there is none. */
export function createMatch(all: readonly Resource[]): (path: string) => Matched | null {
  const patterns: Pattern[] = [...Map.groupBy(all, (resource) => resource.path)].map(([path, resources]) => ({
    segments: path.split('/'),
    resources,
  }));
  return (path) => {
    const wanted = path.split('/');
    for (const pattern of patterns) {
      const params = paramsIn(pattern, wanted);
      if (params !== null) return { resources: pattern.resources, params };
    }
    return null;
  };
}
