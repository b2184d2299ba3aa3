/** Host names: of requests, without the port, and of routes, with wildcards and parameters. */
import { domainToASCII } from 'node:url';

export interface HostPattern {
  /** The whole name where it is exact, the literal end of the name where it is not; '' may be any. */
  readonly suffix: string;
  readonly kind: 'any' | 'exact' | 'parameters' | 'wildcard';
  /** For parameters: each label, null taking any one label. */
  readonly labels: readonly (string | null)[];
  /** Name of each null label in order. */
  readonly names: readonly string[];
}

const PARAMETER = /^\{([A-Za-z_][\w-]*)\}$/;
const PLAIN = /^[a-z0-9.\-_]*$/;

const asciiName = (name: string): string => {
  const lower = name.toLowerCase();
  // domainToASCII gives '' for names that are none; such a name matches only itself.
  return PLAIN.test(lower) ? lower : domainToASCII(lower) || lower;
};

/**
 * The host of an authority (`name:port`, `[::1]:port`) as routes compare it: no port, no final dot, lower case,
 * internationalised names in their ASCII form. Allocates nothing for a plain name without a port.
 */
export function hostOf(authority: string): string {
  let end = authority.length;
  const colon = authority.lastIndexOf(':');
  if (colon >= 0 && colon > authority.lastIndexOf(']')) end = colon;
  if (end > 1 && authority.charCodeAt(end - 1) === 46) end--;
  const name = end === authority.length ? authority : authority.slice(0, end);
  if (PLAIN.test(name)) return name;
  return name.startsWith('[') ? name.toLowerCase() : asciiName(name);
}

/** Takes a route's host apart. Throws an Error that says what is wrong with it. */
export function parseHost(host: string): HostPattern {
  if (host === '' || host === '*') return { suffix: '', kind: 'any', labels: [], names: [] };
  if (host.startsWith('*.')) {
    const suffix = hostOf(host.slice(2));
    if (suffix === '' || /[*{}]/.test(suffix)) throw new Error(`${host}: a host has one *. at its beginning`);
    return { suffix, kind: 'wildcard', labels: [], names: [] };
  }
  if (host.includes('*'))
    throw new Error(`${host}: * stands only at the beginning of a host, as in *.example.com`);
  if (!host.includes('{')) return { suffix: hostOf(host), kind: 'exact', labels: [], names: [] };
  const names: string[] = [];
  const labels = host
    .replace(/:\d+$/, '')
    .replace(/\.$/, '')
    .split('.')
    .map((text) => {
      const name = PARAMETER.exec(text)?.[1];
      if (name === undefined) {
        if (/[{}]/.test(text)) throw new Error(`${host}: a parameter is a whole label, unlike in ${text}`);
        return asciiName(text);
      }
      if (names.includes(name)) throw new Error(`${host}: the parameter {${name}} stands there twice`);
      names.push(name);
      return null;
    });
  const suffix = labels.slice(labels.lastIndexOf(null) + 1).join('.');
  return { suffix, kind: 'parameters', labels, names };
}

/** Whether the labels of a host fit those of a pattern with parameters. */
export function labelsFit(labels: readonly (string | null)[], parts: readonly string[]): boolean {
  if (labels.length !== parts.length) return false;
  for (let at = 0; at < labels.length; at++) {
    const label = labels[at];
    if (label === null ? parts[at] === '' : label !== parts[at]) return false;
  }
  return true;
}

/** Whether a host, as `hostOf` gives it, fits; the router itself is faster. */
export function hostFits(pattern: HostPattern, host: string): boolean {
  switch (pattern.kind) {
    case 'any':
      return true;
    case 'exact':
      return pattern.suffix === host;
    case 'wildcard':
      return host.length > pattern.suffix.length + 1 && host.endsWith(`.${pattern.suffix}`);
    case 'parameters':
      return labelsFit(pattern.labels, host.split('.'));
  }
}
