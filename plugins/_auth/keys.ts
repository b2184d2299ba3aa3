/** The keys of an issuer: read from JWK, key sets and PEM; each fixes the algorithms that it may verify. */
import { createHash, createPublicKey } from 'node:crypto';
import { type CryptoKey, importJWK, type JWK } from 'jose';

export interface VerifyKey {
  readonly kid: string | null;
  /** By algorithm. */
  readonly usable: ReadonlyMap<string, CryptoKey | Uint8Array>;
}

const MOST_KEYS = 100;
const LEAST_RSA_BITS = 2048;
/** The cost of a check grows with the square of the size; no issuer has larger keys. */
const MOST_RSA_BITS = 8192;
/** Without a name in the token each key of a set may have to be tried. */
const MOST_TRIED = 8;
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: Readonly<Record<string, string[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  Ed25519: ['EdDSA', 'Ed25519'],
};
/** With the bytes that a secret must have at least (RFC 7518 section 3.2). */
const HMAC: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/** Every algorithm that a token may be signed with; never `none`. */
export const ALGORITHMS = [...RSA, ...Object.values(CURVES).flat(), ...Object.keys(HMAC)] as const;

/** True for algorithms whose keys may be published. */
export const isPublic = (alg: string): boolean =>
  (ALGORITHMS as readonly string[]).includes(alg) && !Object.hasOwn(HMAC, alg);

/** An unchangeable set; a change of keys is another object. */
export class Keys {
  readonly list: readonly VerifyKey[];
  readonly algorithms: ReadonlySet<string>;
  /** The same for the same keys. */
  readonly fingerprint: string;

  constructor(list: readonly VerifyKey[], fingerprint: string) {
    this.list = list;
    this.algorithms = new Set(list.flatMap((key) => [...key.usable.keys()]));
    this.fingerprint = fingerprint;
  }

  /** The keys that may have signed, at most `MOST_TRIED`. A key without a name (PEM) may stand for any name; a token without one for any key. */
  find(kid: string | undefined, alg: string): VerifyKey[] {
    return this.list
      .filter((key) => key.usable.has(alg) && (kid === undefined || key.kid === null || key.kid === kid))
      .slice(0, MOST_TRIED);
  }

  /** True when a key of exactly this name is here, whatever it is for. */
  names(kid: string): boolean {
    return this.list.some((key) => key.kid === kid);
  }
}

/** A key that cannot be used; the message says why. */
export class KeyProblem extends Error {}

const bitsOf = (n: unknown): number => {
  const bytes = Buffer.from(String(n), 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (bytes.length - first) * 8 - Math.clz32(bytes[first]!) + 24;
};

/** What the kind of key could verify at all. */
const possible = (jwk: JWK): string[] => {
  switch (jwk.kty) {
    case 'RSA': {
      const bits = bitsOf(jwk.n);
      if (bits < LEAST_RSA_BITS || bits > MOST_RSA_BITS)
        throw new KeyProblem(
          `is an RSA key of ${bits} bits; ${LEAST_RSA_BITS} to ${MOST_RSA_BITS} are taken`,
        );
      return RSA;
    }
    case 'EC':
    case 'OKP':
      return CURVES[String(jwk.crv)] ?? [];
    case 'oct': {
      const bytes = Buffer.from(String(jwk.k), 'base64url').length;
      const fit = Object.keys(HMAC).filter((alg) => HMAC[alg]! <= bytes);
      if (fit.length === 0) throw new KeyProblem(`is a secret of ${bytes} bytes; 32 are needed`);
      return fit;
    }
    default:
      return [];
  }
};

/** Only the public members, so that nothing else of a document reaches the crypto library. */
const bare = ({ kty, n, e, crv, x, y, k }: JWK): JWK =>
  Object.fromEntries(
    Object.entries({ kty, n, e, crv, x, y, k }).filter(([, value]) => value !== undefined),
  ) as JWK;

/** True for keys that are there for something else, such as encryption. */
const isForeign = ({ use, key_ops: ops }: JWK): boolean =>
  (use !== undefined && use !== 'sig') || (Array.isArray(ops) && !ops.includes('verify'));

const readKey = async (jwk: JWK): Promise<VerifyKey> => {
  if (jwk.d !== undefined || jwk.p !== undefined)
    throw new KeyProblem('is a private key; only its public half belongs here');
  const able = possible(jwk);
  const algs = jwk.alg === undefined ? able : able.filter((alg) => alg === jwk.alg);
  if (algs.length === 0)
    throw new KeyProblem(
      `is for no known algorithm (${String(jwk.kty)} ${String(jwk.alg ?? jwk.crv ?? '')})`,
    );
  const usable = new Map<string, CryptoKey | Uint8Array>();
  for (const alg of algs) {
    try {
      usable.set(alg, await importJWK(bare(jwk), alg));
    } catch (error) {
      throw new KeyProblem(`cannot be read (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  const kid = typeof jwk.kid === 'string' && jwk.kid !== '' ? jwk.kid : null;
  return { kid, usable };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const listOf = (document: unknown): unknown[] => {
  if (isObject(document) && Array.isArray(document.keys)) return document.keys;
  if (isObject(document) && document.kty !== undefined) return [document];
  throw new KeyProblem('is no key set: an object with "keys" is needed');
};

export interface ReadKeysOptions {
  /** False for what comes over the network: keys that cannot be used are passed over, secrets among them. */
  readonly own: boolean;
}

/**
 * Reads a JWK or a key set.
 * @throws KeyProblem when nothing in it can be used, or (`own`) when anything is wrong
 */
export async function readKeys(document: unknown, { own }: ReadKeysOptions): Promise<Keys> {
  const all = listOf(document);
  if (all.length > MOST_KEYS) throw new KeyProblem(`has more than ${MOST_KEYS} keys`);
  const jwks = all.filter(
    (one): one is JWK => isObject(one) && typeof one.kty === 'string' && !isForeign(one as JWK),
  );
  const secret = jwks.filter((jwk) => jwk.kty === 'oct').length;
  if (own && secret > 0 && secret < jwks.length)
    throw new KeyProblem('mixes secrets and public keys; give each issuer one kind');
  const keys: VerifyKey[] = [];
  let problem = '';
  for (const [at, jwk] of jwks.entries()) {
    if (!own && jwk.kty === 'oct') continue;
    try {
      keys.push(await readKey(jwk));
    } catch (error) {
      if (!(error instanceof KeyProblem)) throw error;
      problem = `key ${at + 1}${typeof jwk.kid === 'string' ? ` (${jwk.kid.slice(0, 60)})` : ''} ${error.message}`;
      if (own) throw new KeyProblem(problem);
    }
  }
  if (keys.length === 0) throw new KeyProblem(problem === '' ? 'has no key for signatures' : problem);
  const print = createHash('sha256')
    .update(JSON.stringify(jwks.map((jwk) => [jwk.kid, jwk.alg, bare(jwk)])))
    .digest('hex');
  return new Keys(keys, print);
}

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/**
 * Reads the text of a key file: PEM (public keys or certificates) or JSON.
 * @throws KeyProblem when it holds anything that cannot be used
 */
export async function readKeyText(text: string): Promise<Keys> {
  const blocks = [...text.matchAll(PEM)];
  if (blocks.length === 0) {
    try {
      return await readKeys(JSON.parse(text), { own: true });
    } catch (error) {
      if (error instanceof SyntaxError) throw new KeyProblem('is neither JSON nor PEM');
      throw error;
    }
  }
  const jwks = blocks.map(([block, label], at) => {
    if (label!.includes('PRIVATE'))
      throw new KeyProblem(`key ${at + 1} is a private key; only its public half belongs here`);
    try {
      return createPublicKey(block).export({ format: 'jwk' });
    } catch (error) {
      throw new KeyProblem(
        `key ${at + 1} cannot be read (${error instanceof Error ? error.message : String(error)})`,
      );
    }
  });
  return readKeys({ keys: jwks }, { own: true });
}
