/** What each request field name means to the server, looked up once a name. */

export const ORDINARY = 0;
/** Not passed on: hop-by-hop, or a name with `_` that a CGI-like server would mistake for another. */
export const DROPPED = 1;
export const HOST = 2;
export const CONTENT_LENGTH = 3;
export const TRANSFER_ENCODING = 4;
export const CONNECTION = 5;
export const UPGRADE = 6;
export const EXPECT = 7;
/** Several lines are joined by `; ` (RFC 9113 section 8.2.3). */
export const COOKIE = 8;

export interface FieldName {
  readonly name: string;
  readonly kind: number;
}

const KINDS: ReadonlyMap<string, number> = new Map([
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['connection', CONNECTION],
  ['upgrade', UPGRADE],
  ['expect', EXPECT],
  ['cookie', COOKIE],
  ['keep-alive', DROPPED],
  ['proxy-connection', DROPPED],
  ['proxy-authorization', DROPPED],
  ['te', DROPPED],
  ['trailer', DROPPED],
  ['http2-settings', DROPPED],
]);

/** Clients may send any name; past this many the rest is worked out each time. */
const MAX_KNOWN = 512;
const known = new Map<string, FieldName>();

/** The lower-case name and its kind, for a name as the parser gave it. */
export function fieldName(raw: string): FieldName {
  const found = known.get(raw);
  if (found !== undefined) return found;
  const name = raw.toLowerCase();
  const made = { name, kind: KINDS.get(name) ?? (name.includes('_') ? DROPPED : ORDINARY) };
  if (known.size < MAX_KNOWN && raw.length <= 64) known.set(raw, made);
  return made;
}

/** Fields that a `Connection` token can never take away, since policies and framing stand on them. */
const KEPT = new Set([
  'host',
  'authorization',
  'content-length',
  'content-type',
  'content-encoding',
  'cookie',
  'forwarded',
  'via',
  'traceparent',
  'tracestate',
  'origin',
]);

/** True when `Connection: name` may take the field away (RFC 9110 section 7.6.1, and its security note). */
export function removable(name: string): boolean {
  return !KEPT.has(name) && !name.startsWith('x-') && !name.startsWith('sec-');
}
