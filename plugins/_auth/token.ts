/** Takes a JSON Web Token apart, strictly, before anything of it is believed (RFC 7515, RFC 7519, RFC 8725). */
import { isTwofold } from './twofold.ts';

/** What a token says of itself; nothing here is verified. */
export interface ReadToken {
  readonly alg: string;
  readonly kid: string | undefined;
  /** Small letters, without `application/`; undefined when absent. */
  readonly typ: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

export const MOST_CHARACTERS = 16_384;
/** A key's name is looked up in a map and nothing else; no issuer needs more. */
const MOST_KID = 128;

const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Base64url has several spellings of the same bytes; only the one that encoders give is let through. */
const decode = (part: string): string | null => {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) return null;
  const text = bytes.toString('utf8');
  return text.includes('\ufffd') ? null : text;
};

const readObject = (part: string): Record<string, unknown> | null => {
  const text = decode(part);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isTwofold(text)) return null;
  return value as Record<string, unknown>;
};

const typeOf = (typ: string): string => typ.toLowerCase().replace(/^application\//, '');

/** Gives the token's parts, or why it is none, in words fit for the client. */
export function readToken(token: string): ReadToken | string {
  if (token.length > MOST_CHARACTERS) return 'the token is too large';
  if (!FORM.test(token)) return 'the token is malformed';
  const [head, body, signature] = token.split('.') as [string, string, string];
  const header = readObject(head);
  const claims = readObject(body);
  if (header === null || claims === null) return 'the token is malformed';
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature)
    return 'the token is malformed';
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') return 'the token is malformed';
  // No extension is understood here, so one that must be understood is refused (RFC 7515 section 4.1.11).
  if (header.crit !== undefined || header.b64 !== undefined) return 'the token needs an extension';
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MOST_KID)) {
    return 'the token names its key wrongly';
  }
  if (typ !== undefined && typeof typ !== 'string') return 'the token is of the wrong type';
  return { alg, kid, typ: typ === undefined ? undefined : typeOf(typ), claims };
}
