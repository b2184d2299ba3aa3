/** Snowgate with the full policy of `bench/policy.ts`: in memory, and with the limits in a Redis. */
import type { Peer } from '../lib/peer.ts';
import { ISSUER, type Tokens } from '../lib/tokens.ts';
import { snowgateWith } from './snowgate.ts';

const variant = (name: string, tokens: Tokens, head: string, limit: string): Peer =>
  snowgateWith(
    name,
    (ports) => `
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
  );

export const policySnowgate = (tokens: Tokens): Peer => variant('snowgate', tokens, '', '');

/** The same with the buckets in Redis: asked for each request, and by leases. */
export const policySnowgateRedis = (tokens: Tokens, redisUrl: string): readonly Peer[] => [
  variant('snowgate, redis exact', tokens, `redis: ${redisUrl}`, ''),
  variant('snowgate, redis leased', tokens, `redis: ${redisUrl}`, ', sync: leased'),
];
