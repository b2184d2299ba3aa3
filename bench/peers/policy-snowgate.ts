/** Snowgate with the full policy of `bench/policy.ts`: in memory, and with the limits in a Redis. */
import { fileURLToPath } from 'node:url';
import type { Peer } from '../lib/peer.ts';
import { ISSUER, type Tokens } from '../lib/tokens.ts';

const launcher = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

const variant = (name: string, tokens: Tokens, head: string, limit: string): Peer => ({
  name,
  version: [process.execPath, launcher, '--version'],
  files: (ports) => ({
    'gateway.yaml': `
listen: 127.0.0.1:${ports.own}
admin: 127.0.0.1:${ports.own + 1000}
${head}
upstreams:
  stable: { targets: { "http://127.0.0.1:${ports.origin}": 1 } }
  canary: { targets: { "http://127.0.0.1:${ports.origin}": 1 } }
routes:
  - path: /**
    upstream: { stable: 90, canary: 10 }
    plugins:
      jwt: { issuer: "${ISSUER}", jwks: ${tokens.jwksFile}, forward: { sub: x-user } }
      rate-limit: { by: claims.sub, rate: 100000/s, burst: 100000${limit} }
`,
  }),
  command: (_ports, folder) => [process.execPath, launcher, 'start', `${folder}/gateway.yaml`],
});

export const policySnowgate = (tokens: Tokens): Peer => variant('snowgate', tokens, '', '');

/** The same with the buckets in Redis: asked for each request, and by leases. */
export const policySnowgateRedis = (tokens: Tokens, redisUrl: string): readonly Peer[] => [
  variant('snowgate, redis exact', tokens, `redis: ${redisUrl}`, ''),
  variant('snowgate, redis leased', tokens, `redis: ${redisUrl}`, ', sync: leased'),
];
