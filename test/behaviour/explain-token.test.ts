/** `snowgate explain --token`: what a route says to a token, before anybody sends it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { goodClaims, ISSUER, signingKey, signToken } from '../kit/issuer.ts';
import { folderOf } from '../kit/plugin.ts';

const program = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

const run = (args: readonly string[]): Promise<{ code: number; out: string }> =>
  new Promise((resolve) =>
    execFile(process.execPath, [program, ...args], (error, out) =>
      resolve({ code: error === null ? 0 : Number(error.code), out }),
    ),
  );

// It starts the command line eight times.
test('says who the token is for and which rule allows or forbids, and fails where it would be refused', async () => {
  const key = await signingKey('k1');
  const { path } = folderOf({
    'keys.json': JSON.stringify({ keys: [key.jwk] }),
    'gateway.yaml': `
routes:
  - path: /orders/{user}
    upstream: http://127.0.0.1:9
    plugins:
      ip-filter: { deny: [10.0.0.0/8] }
      jwt: { issuer: ${ISSUER}, audience: orders, jwks: ./keys.json }
      authorize: { allow: [{ name: owners, when: claims.sub == params.user }] }
  - { path: /open, upstream: "http://127.0.0.1:9" }
`,
  });
  const token = await signToken(key, goodClaims(Date.now(), { scope: 'a b' }));
  const explain = async (url: string, ...more: string[]) => {
    const file = join(path, 'gateway.yaml');
    const { code, out } = await run(['explain', 'GET', url, '-c', file, '--json', ...more]);
    return { code, ...JSON.parse(out).judged };
  };
  const passed = { status: 0, code: '-' };
  const jwt = { plugin: 'jwt', phase: 'authenticate', ...passed, why: `alice, by ${ISSUER}, scopes a b` };
  const filter = { plugin: 'ip-filter', phase: 'accept', ...passed, why: '' };
  const rules = { plugin: 'authorize', phase: 'authorize' };
  expect(await explain('/orders/alice', '--token', token)).toEqual({
    code: 0,
    principal: { id: 'alice', scopes: ['a', 'b'], by: 'jwt' },
    verdicts: [filter, jwt, { ...rules, ...passed, why: 'allowed by "owners"' }],
  });
  expect(await explain('/orders/bob', '--token', token)).toMatchObject({
    code: 1,
    verdicts: [filter, jwt, { ...rules, status: 403, code: 'GW_FORBIDDEN', why: 'no rule allows it' }],
  });
  expect(await explain('/orders/bob', '--token', `${token}x`)).toMatchObject({
    code: 1,
    principal: null,
    verdicts: [filter, { status: 401, code: 'GW_UNAUTHENTICATED', why: 'the token is malformed' }],
  });
  expect(await explain('/orders/alice', '--token', token, '--from', '10.0.0.1')).toMatchObject({
    code: 1,
    verdicts: [{ plugin: 'ip-filter', status: 403, why: 'address 10.0.0.1' }],
  });
  expect(await explain('/open', '--token', token)).toEqual({ code: 0, principal: null, verdicts: [] });
  expect(await explain('/orders/alice', '--policies', '-H', `authorization: Bearer ${token}`)).toMatchObject({
    code: 0,
    principal: { id: 'alice' },
  });
  expect(await explain('/orders/alice', '--policies')).toMatchObject({
    code: 1,
    verdicts: [filter, { ...jwt, why: 'no token' }, { status: 401, why: 'no credential for jwt' }],
  });
  const shown = await run([
    'explain',
    'GET',
    '/orders/bob',
    '-c',
    join(path, 'gateway.yaml'),
    '--token',
    token,
  ]);
  expect(shown.out).toContain('authorize  refuses: 403 GW_FORBIDDEN, no rule allows it');
}, 60_000);
