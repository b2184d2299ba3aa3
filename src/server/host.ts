/** Checks the Host field and the request target, the two places that say where a request goes. */

const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?$/;
/** A name of RFC 1035 has at most 253 characters; a port adds six. */
const MAX_HOST = 260;

/** The host in lower case with its port, or null when it is no plain `host[:port]` (RFC 9110 section 7.2). */
export function authorityOf(host: string): string | null {
  if (host.length === 0 || host.length > MAX_HOST) return null;
  const lower = host.toLowerCase();
  const match = HOST.exec(lower);
  if (match === null || lower.includes('..')) return null;
  const port = match[1];
  return port === undefined || (Number(port) > 0 && Number(port) < 65_536) ? lower : null;
}

export interface Target {
  /** Null in origin-form. */
  readonly authority: string | null;
  /** Begins with `/`. */
  readonly path: string;
  /** With its `?`, or empty. */
  readonly query: string;
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)/i;
const splitAt = (authority: string | null, text: string): Target => {
  const mark = text.indexOf('?');
  return mark === -1
    ? { authority, path: text, query: '' }
    : { authority, path: text.slice(0, mark), query: text.slice(mark) };
};

/**
 * The parts of an absolute-form target (RFC 9112 section 3.2.2), or null when it is malformed or of another scheme.
 * @param url without `#`
 */
export function absoluteTarget(url: string, scheme: 'http' | 'https'): Target | null {
  const match = ABSOLUTE.exec(url);
  if (match === null || match[1]!.toLowerCase() !== scheme) return null;
  const authority = authorityOf(match[2]!);
  if (authority === null) return null;
  const rest = url.slice(match[0].length);
  return splitAt(authority, rest.startsWith('/') ? rest : `/${rest}`);
}

/** Whether an absolute-form target and the Host field name the same place; the scheme's own port may be left out. */
export function sameAuthority(one: string, other: string, scheme: 'http' | 'https'): boolean {
  const port = scheme === 'http' ? ':80' : ':443';
  const bare = (text: string) => (text.endsWith(port) ? text.slice(0, -port.length) : text);
  return one === other || bare(one) === bare(other);
}
