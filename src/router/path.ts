/** The one canonical path that matching, policies and forwarding share; an ambiguous path has none. */

export interface PathAllowance {
  /** `%2F` stays as it is instead of being refused. */
  readonly encodedSlash: boolean;
  /** `//` stays as it is instead of being refused. */
  readonly doubleSlash: boolean;
}

const PLAIN = 0;
const REFUSED = 1;
const ENCODED = 2;
const SLASH = 47;
const PERCENT = 37;

const UNRESERVED = /[A-Za-z0-9\-._~]/;

/** What becomes of each ASCII character when it stands in a path as it is. */
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (code <= 0x20 || code === 0x7f || char === '\\' || char === '#' || char === '?') return REFUSED;
  // RFC 3986 allows none of these raw, yet clients send them: one spelling for both.
  return '"<>^`{|}'.includes(char) ? ENCODED : PLAIN;
});

const percent = (code: number): string => `%${code.toString(16).toUpperCase().padStart(2, '0')}`;

/** What each `%XX` becomes; null is refused. `%2F` is dealt with apart. */
const DECODED: readonly (string | null)[] = Array.from({ length: 256 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (code < 0x20 || code === 0x7f || char === '\\') return null;
  return UNRESERVED.test(char) ? char : percent(code);
});

/** The value of one hexadecimal digit, or -1. */
const digit = (code: number): number => {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};

const normaliseEncoding = (raw: string, encodedSlash: boolean): string | null => {
  let path = '';
  for (let at = 0; at < raw.length; at++) {
    const code = raw.charCodeAt(at);
    if (code === PERCENT) {
      const high = digit(raw.charCodeAt(at + 1));
      const low = digit(raw.charCodeAt(at + 2));
      // NaN past the end falls through every comparison to -1.
      if (high < 0 || low < 0) return null;
      const decoded = DECODED[high * 16 + low]!;
      if (decoded === null || (decoded === '%2F' && !encodedSlash)) return null;
      path += decoded;
      at += 2;
      continue;
    }
    if (code >= 128) return null;
    const kind = KINDS[code];
    if (kind === REFUSED) return null;
    path += kind === ENCODED ? percent(code) : raw[at]!;
  }
  return path;
};

/** Servlet containers cut `;…` off each segment before they resolve dots: `..;` climbs there. */
const DOTS_WITH_PARAMETER = /^\.\.?(?:;|%3B)/;
/** Dots beside an encoded slash climb in any upstream that decodes it. */
const DOTS_AT_ENCODED_SLASH = /(?:^|%2F)\.\.?(?:;.*|%3B.*)?(?:%2F|$)/;
const DOUBLE_SLASH = /(?:\/|%2F)(?:\/|%2F)/;

/** Removes dot segments (RFC 3986 section 5.2.4), but refuses to climb over the root. */
const removeDots = (path: string): string | null => {
  const kept: string[] = [];
  const segments = path.split('/');
  const last = segments.length - 1;
  for (let at = 1; at <= last; at++) {
    const segment = segments[at]!;
    if (segment === '.' || segment === '..') {
      if (segment === '..' && kept.pop() === undefined) return null;
      if (at === last) kept.push('');
      continue;
    }
    if (DOTS_WITH_PARAMETER.test(segment)) return null;
    if (segment.includes('%2F') && DOTS_AT_ENCODED_SLASH.test(segment)) return null;
    kept.push(segment);
  }
  return `/${kept.join('/')}`;
};

/** Finds whatever may need work: a character that is not plain, an empty segment, one that begins with a dot. */
const UNUSUAL = /[^\w\-.~!$&'()*+,;=:@/]|\/[./]/;

/**
 * The canonical form of a request's path, without the query, or null where it is malformed or ambiguous.
 * Unreserved characters are decoded and hexadecimal digits put in upper case (RFC 3986 section 6.2.2); decoding
 * happens once, so `%252F` stays `%252F`. Refused: an invalid `%`, encoded and raw controls, backslashes,
 * `#`, raw non-ASCII, `..` past the root, and, unless allowed, `%2F` and `//`. The result is its own canonical form.
 */
export function canonicalPath(raw: string, allow: PathAllowance): string | null {
  if (raw.charCodeAt(0) !== SLASH) return null;
  // Most paths are their own canonical form; this finds it out without allocating.
  if (!UNUSUAL.test(raw)) return raw;
  const path = normaliseEncoding(raw, allow.encodedSlash);
  if (path === null) return null;
  if (!allow.doubleSlash && DOUBLE_SLASH.test(path)) return null;
  return path.includes('/.') || path.includes('%2F') ? removeDots(path) : path;
}

/** What is wrong with a path that has no canonical form, in a few words; null where nothing is. */
export function pathProblem(raw: string): string | null {
  if (canonicalPath(raw, { encodedSlash: false, doubleSlash: false }) !== null) return null;
  if (!raw.startsWith('/')) return 'it does not begin with /';
  if (/\\|%5c/i.test(raw)) return 'it contains a backslash';
  if (/[\x00-\x20\x7f]|%[01][0-9a-f]|%7f/i.test(raw)) return 'it contains a control character or a space';
  if (/[^\x00-\x7f]/.test(raw)) return 'it contains a character outside ASCII that is not percent-encoded';
  if (/%(?![0-9a-f]{2})/i.test(raw)) return 'it contains a % that is not followed by two hexadecimal digits';
  if (/[#?]/.test(raw)) return 'it contains # or ?';
  if (canonicalPath(raw, { encodedSlash: true, doubleSlash: true }) === null)
    return 'its dot segments climb over the root or hide beside ; or %2F';
  return /%2f/i.test(raw)
    ? 'it contains %2F, which no matching route allows'
    : 'it contains //, which no matching route allows';
}
