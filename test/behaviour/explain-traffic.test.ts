/** `snowgate explain` on a route that splits by a key, mirrors, fails on purpose and fails over. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { folderOf } from '../kit/plugin.ts';

const program = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

const run = (args: readonly string[]): Promise<string> =>
  new Promise((resolve) => execFile(process.execPath, [program, ...args], (_error, out) => resolve(out)));

test('tells where a key leads, who gets copies, whom a fault hits and who takes over', async () => {
  const { path } = folderOf({
    'gateway.yaml': `
upstreams:
  stable: { targets: ["http://127.0.0.1:9"], failover: spare, retry: { perTry: 2s, hedgeAfter: 200ms } }
  canary: { targets: ["http://127.0.0.1:9"] }
  spare: { targets: ["http://127.0.0.1:9"] }
  next: { targets: ["http://127.0.0.1:9"] }
routes:
  - path: /orders
    upstream: { stable: 90, canary: 10 }
    splitBy: header.x-user
    mirror: { upstream: next, percent: 10% }
    fault: { delay: 2s, abort: 503, percent: 1%, when: { header.x-chaos: "on" } }
  - { path: /plain, upstream: spare }
  - { path: /mine, upstream: { stable: 1, canary: 1 }, splitBy: claims.sub }
`,
  });
  const file = join(path, 'gateway.yaml');
  const shown = await run(['explain', 'GET', '/orders', '-c', file, '-H', 'x-chaos: on']);
  expect(shown).toContain('split by    header.x-user, which this request has not: in turn');
  expect(shown).toContain('mirror      10% also to next');
  expect(shown).toContain(
    'fault       a delay of 2s, then 503 GW_FAULT for 1% of requests whose header.x-chaos is "on"; this one is among them',
  );
  expect(shown).toMatch(/tries +2, each at most 2 s, a GET also elsewhere after 0.2 s/);
  expect(shown).toMatch(/failover +spare/);
  expect(await run(['explain', 'GET', '/mine', '-c', file])).toContain(
    'claims.sub, which a token would tell',
  );
  expect(await run(['explain', 'GET', '/plain', '-c', file])).not.toMatch(/split by|mirror|fault|failover/);
});

test('names the very upstream that the gateway would choose for a key', async () => {
  const [stable, canary] = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(`
upstreams:
  stable: { targets: ["${stable.url}"] }
  canary: { targets: ["${canary.url}"] }
routes:
  - { path: /**, upstream: { stable: 1, canary: 1 }, splitBy: header.x-user }
`);
  const file = join(gateway.folder, 'gateway.yaml');
  for (const user of ['ann', 'bob', 'cid', 'dan']) {
    const { splitBy } = JSON.parse(
      await run(['explain', 'GET', '/', '-c', file, '--json', '-H', `x-user: ${user}`]),
    );
    const { body } = await gateway.ask('/', { headers: { 'x-user': user } });
    expect(splitBy.upstream).toBe(body === String(stable.port) ? 'stable' : 'canary');
  }
});
