/** Plugins in a whole gateway, with real requests. */
import { expect, test } from 'vitest';
import { startPluginGateway } from '../kit/plugin-gateway.ts';

const YAML = `
upstreams:
  orders: { targets: { ORIGIN: 1 }, plugins: { up: { type: headers, request: { set: { x-up: "1" } } } } }
plugins:
  cors: { origins: ["https://shop.example"] }
  headers: { response: { remove: [server], set: { x-route: "{route}" } } }
routes:
  - { name: orders, path: "/orders/{id}", upstream: orders, plugins: { mark: { type: headers, request: { set: { x-id: "{params.id}" } } } } }
  - { name: old, path: "/old/{id}", plugins: { redirect: { to: "/orders/{id}", status: 308 } } }
  - { name: shut, path: /shut, upstream: orders, plugins: { ip-filter: { deny: [127.0.0.0/8] } } }
  - { name: canned, path: /canned, upstream: orders, plugins: { respond: { status: 203, json: { a: 1 } } } }
  - { name: bare, path: /bare, upstream: orders, plugins: { headers: false } }
`;

test('the built-in plugins do their work on the wire', async () => {
  const { ask, reached } = await startPluginGateway(YAML);

  const plain = await ask('/orders/7', { headers: { origin: 'https://shop.example' } });
  expect([plain.status, plain.body]).toEqual([200, 'from the origin']);
  expect(plain.headers).toMatchObject({
    'access-control-allow-origin': 'https://shop.example',
    vary: 'Origin',
    'x-route': 'orders',
  });
  expect(plain.headers.server).toBeUndefined();
  expect(reached[0]?.headers).toMatchObject({ 'x-id': '7', 'x-up': '1' });

  const moved = await ask('/old/7?a=1');
  expect([moved.status, moved.headers.location]).toEqual([308, '/orders/7?a=1']);

  const shut = await ask('/shut');
  expect([shut.status, JSON.parse(shut.body).code]).toEqual([403, 'GW_FORBIDDEN']);
  expect(shut.headers['x-route']).toBe('shut');

  const canned = await ask('/canned');
  expect([canned.status, canned.body, canned.headers['content-type']]).toEqual([
    203,
    '{"a":1}',
    'application/json',
  ]);

  const bare = await ask('/bare');
  expect([bare.headers.server, bare.headers['x-route']]).toEqual(['origin', undefined]);
  expect(reached.map(({ url }) => url)).toEqual(['/orders/7', '/bare']);
});

test('a preflight is answered by the gateway, whatever the methods of the route', async () => {
  const yaml = `
plugins: { cors: { origins: ["https://shop.example"], methods: [PUT] } }
routes: [{ path: /orders, methods: [PUT], upstream: ORIGIN }]
`;
  const { ask, reached } = await startPluginGateway(yaml);
  const headers = { origin: 'https://shop.example', 'access-control-request-method': 'PUT' };
  const answer = await ask('/orders', { method: 'OPTIONS', headers });
  expect([answer.status, answer.headers['access-control-allow-methods']]).toEqual([204, 'PUT']);
  expect(reached).toEqual([]);
});

const MINE = (value: string) => `
import { definePlugin, z } from 'snowgate/plugin';
export default definePlugin({
  name: 'mine', summary: 'Mine.', config: z.strictObject({ fail: z.boolean().default(false) }),
  setup: ({ fail }) => ({
    authorize() { if (fail) throw new Error('secret detail'); },
    response(_, answer) { answer.fields['x-mine'] = '${value}'; },
  }),
});
`;

const ROUTES = `
routes:
  - { path: /good, upstream: ORIGIN, plugins: { mine: {} } }
  - { path: /bad, upstream: ORIGIN, plugins: { mine: { fail: true } } }
`;

test('a user’s plugin runs, fails closed without telling the client why, and is read again when it changes', async () => {
  const { ask, write, gateway, lines, reached } = await startPluginGateway(ROUTES, {
    'package.json': '{"type":"commonjs"}',
    'plugins/mine.ts': MINE('first'),
  });
  expect((await ask('/good')).headers['x-mine']).toBe('first');
  const bad = await ask('/bad');
  expect([bad.status, JSON.parse(bad.body).code, bad.headers['x-mine']]).toEqual([500, 'GW_PLUGIN', 'first']);
  expect(bad.body).not.toContain('secret detail');
  await expect.poll(() => lines.some((line) => line.includes('secret detail'))).toBe(true);
  expect(reached).toHaveLength(1);

  write('plugins/mine.ts', MINE('second'));
  await gateway.reload();
  expect((await ask('/good')).headers['x-mine']).toBe('second');

  write('plugins/mine.ts', 'const = 5;');
  await expect(gateway.reload()).rejects.toThrow(/mine\.ts:1/);
  expect((await ask('/good')).headers['x-mine']).toBe('second');
});

test('a plugin on an upstream that would have to run before it, and unknown settings, are refused at their place', async () => {
  const yaml = `
upstreams:
  orders: { targets: { ORIGIN: 1 }, plugins: { ip-filter: { deny: [10.0.0.0/8] } } }
routes: [{ path: /, upstream: orders, plugins: { cors: { orgins: [] } } }]
`;
  const error = await startPluginGateway(yaml).catch((reason: unknown) => reason);
  const { issues } = error as { issues: { message: string; place: { line: number } | null }[] };
  const shown = issues.map((issue) => `${issue.place?.line}: ${issue.message}`);
  expect(shown).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^5: .*ip-filter.*cannot be used on an upstream/),
      expect.stringMatching(/^6: .*cors: unknown key `orgins`/),
    ]),
  );
});

test('a header that a plugin reserves is taken from every request on every route', async () => {
  const { ask, reached } = await startPluginGateway(
    `
plugins: { who: {} }
routes:
  - { path: /a, upstream: ORIGIN }
  - { path: /b, upstream: ORIGIN, plugins: { who: false } }
`,
    {
      'plugins/who.ts': `
import { definePlugin, z } from 'snowgate/plugin';
export default definePlugin({
  name: 'who',
  summary: 'Tells who asks.',
  config: z.strictObject({}),
  setup: () => ({
    reserves: ['x-user'],
    request(x) {
      x.request.fields['x-asked'] = String(x.received.fields['x-user']);
    },
  }),
});
`,
    },
  );
  await ask('/a', { headers: { 'X-User': 'root', x_user: 'root' } });
  await ask('/b', { headers: { 'X-User': 'root' } });
  expect(reached.map(({ headers }) => [headers['x-user'], headers.x_user, headers['x-asked']])).toEqual([
    [undefined, undefined, 'undefined'],
    [undefined, undefined, undefined],
  ]);
});
