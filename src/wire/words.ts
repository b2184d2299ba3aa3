/** Dotted words such as `claims.sub` or `header.x-api-key`: what a limit, a hash, a split or a rule looks at. */
import type { Fields } from './fields.ts';
import { fieldText } from './fields.ts';
import type { RequestHead } from './heads.ts';

/** What a word reads from; every Exchange is one. */
export interface WordSource {
  readonly client: { readonly address: string; readonly scheme: string };
  readonly route: { readonly name: string };
  readonly params: Readonly<Record<string, string>>;
  readonly received: Readonly<RequestHead>;
  readonly principal: {
    readonly id: string;
    readonly claims: Readonly<Record<string, unknown>>;
    readonly scopes: readonly string[];
  } | null;
}

/** Gives what a word stands for in one request, or undefined when the request has no such thing. */
export type WordReader = (x: WordSource) => string | undefined;
/** The same with its type kept: a claim may be a number, a list or a map. */
export type ValueReader = (x: WordSource) => unknown;

/** A word that means nothing; the message says which there are. */
export class WordError extends Error {}

const MOST_CHARACTERS = 256;
const KNOWN =
  'client.address, principal.id, principal.NAME, claims.NAME, header.NAME, cookie.NAME, query.NAME, params.NAME, ' +
  'host, method, path, route';

const PLAIN: Readonly<Record<string, ValueReader>> = {
  'client.address': (x) => x.client.address,
  'client.scheme': (x) => x.client.scheme,
  'principal.id': (x) => x.principal?.id,
  'principal.scopes': (x) => x.principal?.scopes,
  host: (x) => hostOf(x.received.authority),
  method: (x) => x.received.method,
  path: (x) => x.received.path,
  route: (x) => x.route.name,
};

/** A port is the client's choice and would make one host many. */
const hostOf = (authority: string): string => authority.replace(/:\d*$/, '').toLowerCase();

/** Only what the map itself holds: `claims.constructor` is nobody's claim. */
const own = (map: unknown, name: string): unknown =>
  typeof map === 'object' && map !== null && Object.hasOwn(map, name)
    ? (map as Record<string, unknown>)[name]
    : undefined;

const walk = (names: readonly string[]): ValueReader => {
  const [first, ...rest] = names as [string, ...string[]];
  if (rest.length === 0) return (x) => own(x.principal?.claims, first);
  return (x) => rest.reduce(own, own(x.principal?.claims, first));
};

/** The value of a cookie, its quotes taken off; the first of a name counts (RFC 6265 leaves the order to the client). */
export function cookieText(fields: Fields, name: string): string | undefined {
  const field = fields.cookie;
  if (field === undefined) return undefined;
  const text = typeof field === 'string' ? field : field.join('; ');
  let from = 0;
  while (from < text.length) {
    const semicolon = text.indexOf(';', from);
    const to = semicolon < 0 ? text.length : semicolon;
    const equals = text.indexOf('=', from);
    if (equals >= 0 && equals < to && text.slice(from, equals).trim() === name) {
      const value = text.slice(equals + 1, to).trim();
      return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
    from = to + 1;
  }
  return undefined;
}

const decode = (text: string): string => {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch (error) {
    // A broken escape stands for itself: the value must still be somebody's own.
    if (error instanceof URIError) return spaced;
    throw error;
  }
};

/** The first value of a query parameter, decoded; `query` begins with its `?` or is empty. */
export function queryText(query: string, name: string): string | undefined {
  if (query.length < 2) return undefined;
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (key === name || decode(key) === name) return equals < 0 ? '' : decode(pair.slice(equals + 1));
  }
  return undefined;
}

const PART = /\.([A-Za-z0-9_$@:-]+)|\["([^"\\]{1,200})"\]|\['([^'\\]{1,200})'\]/gy;

/**
 * Reads what follows the root of a word: `["a.b"].c` becomes `a.b` and `c`.
 * @returns null when the text is not of that form
 */
export function wordSteps(text: string): string[] | null {
  const parts: string[] = [];
  let at = 0;
  PART.lastIndex = 0;
  for (let match = PART.exec(text); match !== null; match = PART.exec(text)) {
    parts.push((match[1] ?? match[2] ?? match[3])!);
    at = PART.lastIndex;
  }
  return at === text.length ? parts : null;
}

const single = (root: string, name: string): ValueReader | null => {
  switch (root) {
    case 'header': {
      const lower = name.toLowerCase();
      return (x) => fieldText(x.received.fields, lower);
    }
    case 'cookie':
      return (x) => cookieText(x.received.fields, name);
    case 'query':
      return (x) => queryText(x.received.query, name);
    case 'params':
      return (x) => own(x.params, name);
    case 'principal':
      return walk([name]);
    default:
      return null;
  }
};

/**
 * Reads a word once, so that each request only looks up.
 * @throws WordError with a sentence for whoever wrote it
 */
export function compileValue(text: string): ValueReader {
  if (Object.hasOwn(PLAIN, text)) return PLAIN[text]!;
  const root = /^[a-z]+/.exec(text)?.[0] ?? '';
  const parts = text.length > MOST_CHARACTERS ? null : wordSteps(text.slice(root.length));
  if (parts === null || parts.length === 0) {
    throw new WordError(`there is no word "${text.slice(0, 80)}"; there are ${KNOWN}`);
  }
  if (root === 'claims') return walk(parts);
  const reader = single(root, parts[0]!);
  if (reader === null) throw new WordError(`there is no word "${text}"; there are ${KNOWN}`);
  if (parts.length === 1) return reader;
  const joined = text.slice(root.length + 1);
  throw new WordError(
    `"${text}" has too many parts; a name that holds dots is written ${root}["${joined.replaceAll(/["'[\]]/g, '')}"]`,
  );
}

/** A value as one text: lists of plain values joined by commas; undefined for what has no such form. */
export function valueText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const texts = value.map((one) => (typeof one === 'object' ? undefined : valueText(one)));
  return texts.includes(undefined) ? undefined : texts.join(',');
}

/**
 * The same for those who need text, such as the key of a limit.
 * @throws WordError with a sentence for whoever wrote it
 */
export function compileWord(text: string): WordReader {
  const read = compileValue(text);
  return (x) => valueText(read(x));
}
