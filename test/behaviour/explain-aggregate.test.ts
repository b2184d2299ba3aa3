/** `snowgate explain` on an aggregate: the order of its parts, and the paths that would be asked. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { goodClaims, ISSUER, signingKey, signToken } from '../kit/issuer.ts';
import { folderOf } from '../kit/plugin.ts';

const program = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

const run = (args: readonly string[]): Promise<string> =>
  new Promise((resolve) => execFile(process.execPath, [program, ...args], (_error, out) => resolve(out)));

test('shows stages and templates, and with a token the paths that it would lead to', async () => {
  const key = await signingKey('k1');
  const { path } = folderOf({
    'keys.json': JSON.stringify({ keys: [key.jwk] }),
    'gateway.yaml': `
upstreams:
  users: { targets: { http://127.0.0.1:9: 1 } }
routes:
  - path: /home/{region}
    timeout: 800ms
    plugins: { jwt: { issuer: ${ISSUER}, audience: orders, jwks: ./keys.json } }
    aggregate:
      orders: { upstream: users, path: "/orders?user={parts.user.id}&in={params.region}" }
      user: { upstream: users, path: "/users/{claims.sub}" }
      banners: { upstream: users, path: "/b?v={query.v}", optional: true, timeout: 200ms }
      products:
        upstream: users
        each: { of: parts.orders.items, most: 20 }
        path: "/products/{each.id}?in={params.region}"
        into: each.product
        optional: true
`,
  });
  const file = join(path, 'gateway.yaml');
  const explain = async (...args: string[]) => {
    const { parts } = JSON.parse(await run(['explain', 'GET', '/home/a%20b', '-c', file, '--json', ...args]));
    return (parts as { name: string; stage: number; path: string; missing: string[] }[]).map(
      ({ name, stage, path, missing }) => [name, stage, path, missing],
    );
  };
  expect(await explain()).toEqual([
    ['orders', 2, '/orders?user={parts.user.id}&in=a%20b', []],
    ['user', 1, '/users/{claims.sub}', []],
    ['banners', 1, '/b?v={query.v}', ['query.v']],
    // What its elements are only the answer can tell.
    ['products', 3, '/products/{each.id}?in=a%20b', []],
  ]);
  const token = await signToken(key, goodClaims(Date.now()));
  expect((await explain('--token', token))[1]).toEqual(['user', 1, '/users/alice', []]);

  const shown = await run(['explain', 'GET', '/home/eu?v=1', '-c', file, '--token', token]);
  expect(shown).toContain('time limit  0.8 s until the whole answer');
  const at = (text: string) => shown.indexOf(text);
  expect(shown).toMatch(/1\. +user +GET users \/users\/alice/);
  expect(shown).toMatch(/1\. +banners +GET users \/b\?v=1 +optional, within 0.2 s/);
  expect(at('banners')).toBeLessThan(at('orders '));
  expect(shown).toMatch(
    /3\. +products +GET users \/products\/\{each\.id\}\?in=eu +for each of parts\.orders\.items \(at most 20, 8 at a time\), optional/,
  );
  expect(await run(['explain', 'GET', '/home/eu', '-c', file])).toContain(
    'fails: query.v missing (GW_PART_INPUT)',
  );

  const routes = await run(['routes', file]);
  expect(routes).toContain('→ users');
  const [route] = JSON.parse(await run(['routes', file, '--json']));
  expect(route.parts).toEqual([
    { name: 'orders', upstream: 'users', optional: false },
    { name: 'user', upstream: 'users', optional: false },
    { name: 'banners', upstream: 'users', optional: true },
    { name: 'products', upstream: 'users', optional: true },
  ]);
});
