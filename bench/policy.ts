/** The full edge policy: token, limit by subject, split, breaker, trace ID, metrics and log, in each peer that has them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compare, LOAD_CORE } from './lib/compare.ts';
import { start, versionOf } from './lib/peer.ts';
import { createTokens } from './lib/tokens.ts';
import { policyEnvoy } from './peers/policy-envoy.ts';
import { policyHaproxy } from './peers/policy-haproxy.ts';
import { policySnowgate, policySnowgateRedis } from './peers/policy-snowgate.ts';
import { redis } from './peers/redis.ts';

const REDIS_PORT = 18090;

const folder = mkdtempSync(join(tmpdir(), 'snowgate-policy-'));
const store =
  versionOf(redis.version) === null
    ? null
    : await start(redis, { own: REDIS_PORT, origin: 0 }, { folder, core: LOAD_CORE });
try {
  const tokens = await createTokens(folder);
  const shared = store === null ? [] : policySnowgateRedis(tokens, `redis://127.0.0.1:${REDIS_PORT}`);
  await compare({
    name: 'policy',
    peers: [policyHaproxy(tokens), policyEnvoy(tokens), policySnowgate(tokens), ...shared],
    script: tokens.script,
  });
} finally {
  await store?.stop();
  rmSync(folder, { recursive: true, force: true });
}
