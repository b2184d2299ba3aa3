/** The settings of the jwt plugin, and the issuers that they name. */
import { readFileSync } from 'node:fs';
import { type Host, type Lease, parseDuration, z } from 'snowgate/plugin';
import { realm } from './bearer.ts';
import { claimPath, forwardSchema } from './forward.ts';
import { Issuer } from './issuer.ts';
import { ALGORITHMS, type Keys, readKeys, readKeyText } from './keys.ts';
import { placesSchema } from './places.ts';
import { RemoteKeys } from './remote-keys.ts';

const SKEW_MS = 30_000;
const MOST_SKEW_MS = 60_000;
/** Of a plain token, and of an access token (RFC 9068). */
const TYPES = ['jwt', 'at+jwt'];
const LEAST_SECRET_BYTES = 32;

const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

/** Whoever can change an answer on the way could hand us keys of their own. */
const isSafe = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username } = new URL(text);
  if (username !== '') return false;
  return protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
};

const SAFE =
  'must be https:// (http:// only on this machine), without a user; allowHttp takes it all the same';

const oneOrMany = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

const issuerShape = {
  issuer: z.string().min(1).max(1000).describe('The `iss` that tokens must have, exactly.'),
  jwks: z
    .string()
    .min(1)
    .optional()
    .describe('Where its keys are: a URL or a file (JWK set, JWK or PEM). Default: found by OIDC discovery.'),
  keys: z
    .union([z.string(), z.array(z.record(z.string(), z.unknown()))])
    .optional()
    .describe('Its public keys in place: PEM text, or a list of JWK.'),
  secret: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) >= LEAST_SECRET_BYTES,
      `must have at least ${LEAST_SECRET_BYTES} bytes`,
    )
    .optional()
    .describe('The secret that it signs with (HS256, HS384, HS512); best from the environment or a file.'),
  audience: oneOrMany
    .optional()
    .describe(
      'The `aud` that tokens must have, one of these; `any` takes all. Default: only tokens that name none.',
    ),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .optional()
    .describe('Only these. Default: those that the keys are for.'),
  types: z
    .array(z.string().toLowerCase())
    .optional()
    .describe('The `typ` that tokens may have. Default: jwt and at+jwt; without one they are taken too.'),
  skew: z
    .string()
    .refine((text) => (parseDuration(text) ?? Number.POSITIVE_INFINITY) <= MOST_SKEW_MS, {
      error: 'must be a duration of at most 60s',
    })
    .optional()
    .describe('How far the clocks may be apart. Default: 30s.'),
  allowHttp: z.boolean().optional().describe('Takes keys over http:// from other machines too.'),
};

const issuerSchema = z.strictObject(issuerShape).superRefine((one, context) => {
  const told = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  const sources = (['jwks', 'keys', 'secret'] as const).filter((key) => one[key] !== undefined);
  if (sources.length > 1) told(sources[1]!, `excludes ${sources[0]}: delete one of the two`);
  if (sources.length === 0 && !isUrl(one.issuer))
    told('issuer', 'is no URL, so its keys cannot be found by discovery: name them by jwks, keys or secret');
  const url = sources.length === 0 ? one.issuer : (one.jwks ?? '');
  if (isUrl(url) && !isSafe(url) && one.allowHttp !== true)
    told(sources.length === 0 ? 'issuer' : 'jwks', SAFE);
});

const { issuer, ...others } = issuerShape;

export const jwtConfig = z
  .strictObject({
    issuer: issuer.optional(),
    ...others,
    issuers: z
      .array(issuerSchema)
      .min(1)
      .optional()
      .describe('Several issuers, each with the settings above; in place of `issuer`.'),
    from: placesSchema('header.authorization'),
    subject: claimPath.default('sub').describe('The claim that becomes `principal.id`.'),
    forward: forwardSchema,
    forwardToken: z.boolean().default(false).describe('Whether the upstream gets the token too.'),
    optional: z
      .boolean()
      .default(false)
      .describe('Whether requests without a token pass; wrong ones never do.'),
    cache: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(10_000)
      .describe('How many verified tokens are remembered until they expire.'),
    realm,
  })
  .superRefine((all, context) => {
    if (all.issuers === undefined) {
      if (all.issuer === undefined) {
        context.addIssue({ code: 'custom', path: ['issuer'], message: 'is missing' });
        return;
      }
      const own = issuerSchema.safeParse(pick(all));
      for (const { path, message } of own.error?.issues ?? [])
        context.addIssue({ code: 'custom', path, message });
      return;
    }
    for (const key of Object.keys(issuerShape) as (keyof typeof issuerShape)[]) {
      if (all[key] === undefined) continue;
      context.addIssue({ code: 'custom', path: [key], message: 'belongs into the entries of issuers' });
    }
    const names = all.issuers.map((one) => one.issuer);
    const twice = names.findIndex((name, at) => names.indexOf(name) !== at);
    if (twice >= 0)
      context.addIssue({
        code: 'custom',
        path: ['issuers', twice, 'issuer'],
        message: 'stands here twice',
      });
  });

export type JwtConfig = z.output<typeof jwtConfig>;
type IssuerConfig = z.output<typeof issuerSchema>;

function pick(all: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => key in issuerShape));
}

/** What an instance holds while it lives. */
export interface OpenIssuers {
  /** By the `iss` of a token. */
  readonly byName: ReadonlyMap<string, Issuer>;
  release(): void;
}

const audiencesOf = (given: IssuerConfig['audience']): ReadonlySet<string> | null => {
  const names = given === undefined ? [] : [given].flat();
  return names.includes('any') ? null : new Set(names);
};

const secretJwk = (secret: string) => ({ kty: 'oct', k: Buffer.from(secret).toString('base64url') });

/** Keys that are at hand: in the settings or in a file. */
const readOwnKeys = async (one: IssuerConfig, host: Host): Promise<Keys> => {
  if (one.secret !== undefined) return readKeys(secretJwk(one.secret), { own: true });
  if (typeof one.keys === 'string') return readKeyText(one.keys);
  if (one.keys !== undefined) return readKeys({ keys: one.keys }, { own: true });
  return readKeyText(readFileSync(host.file(one.jwks!), 'utf8'));
};

const checkedKeys = async (one: IssuerConfig, host: Host): Promise<Keys> => {
  const where = one.jwks ?? (one.keys === undefined ? 'secret' : 'keys');
  let keys: Keys;
  try {
    keys = await readOwnKeys(one, host);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // What the system says of a file names it already.
    throw new Error(message.includes(where) ? message : `${where} ${message}`, { cause: error });
  }
  const unusable = one.algorithms?.find((name) => !keys.algorithms.has(name));
  if (unusable !== undefined) throw new Error(`${where} has no key for ${unusable}`);
  return keys;
};

/**
 * Opens the issuers of a configuration; keys that are published are shared with every other instance.
 * @throws Error when keys at hand cannot be used; issuers that are down are waited for by requests, not here
 */
export async function openIssuers(config: JwtConfig, host: Host): Promise<OpenIssuers> {
  const list = config.issuers ?? [issuerSchema.parse(pick(config))];
  const leases: Lease<RemoteKeys>[] = [];
  const release = () => {
    for (const lease of leases) lease.release();
  };
  const fetches = host.counter('jwt_key_fetches', 'Fetches of the keys of issuers.', ['result']);
  const open = async (one: IssuerConfig): Promise<Issuer> => {
    const isRemote = one.keys === undefined && one.secret === undefined && isUrl(one.jwks ?? one.issuer);
    let keys: Keys | RemoteKeys;
    if (isRemote) {
      const url = one.jwks ?? null;
      const { clock, random, log } = host;
      const lease = await host.shared(
        `keys ${one.issuer} ${url ?? ''}`,
        () => new RemoteKeys({ issuer: one.issuer, url, clock, random, log, fetches }),
      );
      leases.push(lease);
      keys = lease.value;
    } else keys = await checkedKeys(one, host);
    return new Issuer({
      name: one.issuer,
      keys,
      algorithms: one.algorithms === undefined ? null : new Set(one.algorithms),
      rules: {
        audiences: audiencesOf(one.audience),
        types: new Set((one.types ?? TYPES).map((type) => type.replace(/^application\//, ''))),
        skewMs: one.skew === undefined ? SKEW_MS : parseDuration(one.skew)!,
      },
    });
  };
  try {
    const issuers = [];
    for (const one of list) issuers.push(await open(one));
    return { byName: new Map(issuers.map((one) => [one.name, one])), release };
  } catch (error) {
    release();
    throw error;
  }
}
