/** Lets in whoever brings a name and a password (RFC 7617); the file holds scrypt hashes only. */
import { definePlugin, type Exchange, type Principal, refuse, z } from 'snowgate/plugin';
import { realm } from './_auth/bearer.ts';
import { consumerOf, consumersSchema, principalOf, readConsumers } from './_auth/consumers.ts';
import { compileForward, forwardSchema } from './_auth/forward.ts';
import { PasswordChecker, type PasswordHash, passwordDigests, readPasswordHash } from './_auth/password.ts';
import { schemePattern } from './_auth/scheme.ts';
import { Verified } from './_auth/verified.ts';

const MOST_CHARACTERS = 1024;
const MOST_REMEMBERED = 1000;
const REMEMBER_MS = 600_000;

const user = consumerOf({
  password: z
    .string()
    .refine(
      (text) => readPasswordHash(text) !== null,
      'must be a scrypt hash, $scrypt$… as `snowgate key --password` prints it',
    ),
});

interface User {
  readonly principal: Principal;
  readonly hash: PasswordHash;
}

const SCHEME = schemePattern('basic');

/** Name and password; null for what is no such credential, '' for one that is malformed. */
const credentialOf = (x: Exchange): { name: string; password: string } | '' | null => {
  const value = x.received.fields.authorization;
  if (value === undefined) return null;
  if (typeof value !== 'string') return '';
  const scheme = SCHEME.exec(value)?.[0];
  if (scheme === undefined) return null;
  const text = Buffer.from(value.slice(scheme.length), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1 || text.length > MOST_CHARACTERS) return '';
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
};

export default definePlugin({
  name: 'basic',
  summary: 'Lets in whoever brings a name and a password; the file holds scrypt hashes only.',
  config: z.strictObject({
    users: consumersSchema(user).describe(
      'Who they are: a map of names, or a file that holds one; each with `password`, `scopes` and any claims.',
    ),
    forward: forwardSchema,
    optional: z
      .boolean()
      .default(false)
      .describe('Whether requests without a password pass; wrong ones never do.'),
    realm,
  }),
  setup(config, host) {
    const { clock } = host;
    const forwarding = compileForward(config.forward, host.instance);
    const users = new Map<string, User>();
    for (const [name, entry] of readConsumers(config.users, user, host)) {
      if (name.includes(':')) throw new Error(`the name ${name} holds a colon, which no client can send`);
      const principal = principalOf(name, entry, { secret: 'password', by: host.instance });
      users.set(name, { principal, hash: readPasswordHash(entry.password)! });
    }
    // Whoever is not known takes as long to refuse as somebody who is: the hash of a user stands in.
    const stand = users.values().next().value?.hash;
    const checker = new PasswordChecker();
    const remembered = new Verified<{ principal: Principal; untilMs: number }>(MOST_REMEMBERED);
    const digest = passwordDigests();
    const challenge = `Basic realm="${config.realm}", charset="UTF-8"`;
    const refused = host.counter('basic_refused', 'Names and passwords that were not taken.');

    const reject = (why: string) => {
      refused.add();
      return refuse('GW_UNAUTHENTICATED', why, { 'www-authenticate': challenge });
    };

    const verify = async (
      x: Exchange,
      { name, password }: { name: string; password: string },
      key: string,
    ) => {
      const found = users.get(name);
      const hash = found?.hash ?? stand;
      const good = hash === undefined ? false : await checker.check(password, hash);
      if (good === null) return refuse('GW_AUTH_UNAVAILABLE', 'too many passwords are being checked');
      if (!good || found === undefined) return reject('the name or the password is wrong');
      remembered.set(key, { principal: found.principal, untilMs: clock.nowMs() + REMEMBER_MS });
      x.principal = found.principal;
      return undefined;
    };

    return {
      optional: config.optional,
      challenge,
      reserves: forwarding.names,
      authenticate(x) {
        const given = credentialOf(x);
        if (given === null) return undefined;
        if (given === '') return reject('the credential is malformed');
        const key = digest(given.name, given.password);
        const known = remembered.get(key);
        if (known === undefined || clock.nowMs() >= known.untilMs) return verify(x, given, key);
        x.principal = known.principal;
        return undefined;
      },
      request(x) {
        const value = x.request.fields.authorization;
        if (value !== undefined && (typeof value !== 'string' || SCHEME.test(value)))
          delete x.request.fields.authorization;
        forwarding.set(x, x.request);
      },
      explain: ({ principal }) => (principal?.by === host.instance ? principal.id : 'no password'),
    };
  },
});
