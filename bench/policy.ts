/** The full edge policy: token, limit by subject, split, breaker, trace ID, metrics and log, in each peer that has them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compare } from './lib/compare.ts';
import { createTokens } from './lib/tokens.ts';
import { policyEnvoy } from './peers/policy-envoy.ts';
import { policyHaproxy } from './peers/policy-haproxy.ts';
import { policySnowgate } from './peers/policy-snowgate.ts';

const folder = mkdtempSync(join(tmpdir(), 'snowgate-policy-'));
try {
  const tokens = await createTokens(folder);
  await compare({
    name: 'policy',
    peers: [policyHaproxy(tokens), policyEnvoy(tokens), policySnowgate(tokens)],
    script: tokens.script,
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
