/** Lets in whoever brings a key that was given out; the gateway knows only the hashes of keys. */
import { hash } from 'node:crypto';
import { definePlugin, type Principal, refuse, z } from 'snowgate/plugin';
import { realm } from './_auth/bearer.ts';
import { consumerOf, consumersSchema, principalOf, readConsumers } from './_auth/consumers.ts';
import { compileForward, forwardSchema } from './_auth/forward.ts';
import { clearPlaces, compilePlaces, placesSchema } from './_auth/places.ts';

const MOST_CHARACTERS = 512;

const consumer = consumerOf({
  keys: z
    .array(
      z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, 'must be the hash of a key, sha256:… as `snowgate key` prints it'),
    )
    .min(1),
});

export default definePlugin({
  name: 'api-key',
  summary: 'Lets in whoever brings a key that was given out; the gateway knows only the hashes of keys.',
  config: z.strictObject({
    consumers: consumersSchema(consumer).describe(
      'Who has which keys: a map of names, or a file that holds one; each with `keys`, `scopes` and any claims.',
    ),
    from: placesSchema('header.x-api-key'),
    forward: forwardSchema,
    forwardKey: z.boolean().default(false).describe('Whether the upstream gets the key too.'),
    optional: z
      .boolean()
      .default(false)
      .describe('Whether requests without a key pass; wrong ones never do.'),
    realm,
  }),
  setup(config, host) {
    const place = compilePlaces(config.from);
    const forwarding = compileForward(config.forward, host.instance);
    const byHash = new Map<string, Principal>();
    for (const [name, entry] of readConsumers(config.consumers, consumer, host)) {
      const principal = principalOf(name, entry, { secret: 'keys', by: host.instance });
      for (const key of entry.keys) {
        const other = byHash.get(key);
        if (other !== undefined) throw new Error(`${name} has a key of ${other.id}`);
        byHash.set(key, principal);
      }
    }
    const challenge = `ApiKey realm="${config.realm}"`;
    const refused = host.counter('api_key_refused', 'Keys that are not known.');

    return {
      optional: config.optional,
      challenge,
      reserves: forwarding.names,
      authenticate(x) {
        const key = place.read(x);
        if (key === undefined) return undefined;
        // Keys are long and random, so a plain hash cannot be turned round, nor guessed at by how long a look-up takes.
        const principal =
          key.length > MOST_CHARACTERS ? undefined : byHash.get(`sha256:${hash('sha256', key, 'hex')}`);
        if (principal === undefined) {
          refused.add();
          return refuse('GW_UNAUTHENTICATED', 'the key is not known', { 'www-authenticate': challenge });
        }
        x.principal = principal;
        return undefined;
      },
      request(x) {
        clearPlaces(place, x, config.forwardKey);
        forwarding.set(x, x.request);
      },
      explain: ({ principal }) => (principal?.by === host.instance ? principal.id : 'no key'),
    };
  },
});
