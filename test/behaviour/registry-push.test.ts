/** Services that enter themselves through the admin address, with heartbeats, a TTL and a way to leave. */
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type Admin, createAdmin } from '../../src/admin/admin.ts';
import { startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';

const YAML = `
registries:
  push: { drain: 400ms }
routes:
  - { path: /orders/**, upstream: push/orders }
`;

const startAdmin = async ({ gateway }: TestGateway, token: string | null = null): Promise<Admin> => {
  const admin = createAdmin({
    host: '127.0.0.1',
    port: 0,
    token,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    sources: {
      metrics: async () => '',
      ready: () => gateway.ready(),
      routes: () => [],
      upstreams: () => [],
      endpoints: () => gateway.describeEndpoints(),
      push: () => gateway.push,
      config: () => ({}),
      version: () => ({}),
      reload: async () => ({ ok: true, message: '' }),
    },
  });
  await admin.listen();
  onTestFinished(() => admin.close());
  return admin;
};

const call = async (admin: Admin, method: string, path: string, body?: unknown) => {
  const answer = await fetch(`http://127.0.0.1:${admin.port}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
};

const used = ({ gateway }: TestGateway) =>
  gateway.describeUpstreams()[0]!.endpoints.map(({ endpoint, weight }) => `${endpoint} ${weight}`);

test('an instance that enters itself gets requests, and none after it has left', async () => {
  const [a, b] = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(YAML);
  const admin = await startAdmin(gateway);
  expect((await gateway.ask('/orders/1')).status).toBe(503);

  const address = `127.0.0.1:${a.port}`;
  expect(await call(admin, 'PUT', '/registry/orders/i-1', { address, weight: 3, zone: 'north' })).toEqual({
    status: 201,
    json: { service: 'orders', instance: 'i-1', done: 'entered' },
  });
  const again = await call(admin, 'PUT', '/registry/orders/i-1', { address, weight: 3, zone: 'north' });
  expect([again.status, again.json.done]).toEqual([200, 'renewed']);
  await call(admin, 'PUT', '/registry/orders/i-2', { address: b.url, ttl: '1h' });
  await until(() => used(gateway).length === 2, 'two endpoints');
  for (let at = 0; at < 4; at++) expect((await gateway.ask('/orders/1')).status).toBe(200);
  expect([a.reached.length, b.reached.length]).toEqual([3, 1]);

  expect((await call(admin, 'GET', '/registry')).json).toMatchObject([
    {
      service: 'orders',
      instance: 'i-1',
      endpoint: `http://${address}`,
      weight: 3,
      zone: 'north',
      ttlSeconds: 30,
    },
    { service: 'orders', instance: 'i-2', ttlSeconds: 3600, draining: false },
  ]);

  expect((await call(admin, 'DELETE', '/registry/orders/i-1')).json.done).toBe('draining');
  await until(() => used(gateway).includes(`${address} 0`), 'an endpoint that drains');
  for (let at = 0; at < 4; at++) await gateway.ask('/orders/1');
  expect(a.reached.length).toBe(3);
  await until(() => used(gateway).length === 1, 'an endpoint that is gone');
  expect((await call(admin, 'DELETE', '/registry/orders/i-1')).status).toBe(404);
});

test('without a heartbeat an instance is gone past its TTL, with one it stays', async () => {
  const [a, b] = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(YAML);
  const admin = await startAdmin(gateway);
  const alive = () => call(admin, 'PUT', '/registry/orders/i-1', { address: a.endpoint, ttl: '1s' });
  await alive();
  await call(admin, 'PUT', '/registry/orders/i-2', { address: b.endpoint, ttl: '1s' });
  await until(() => used(gateway).length === 2, 'two endpoints');
  const before = performance.now();
  const beats = setInterval(() => void alive(), 200);
  onTestFinished(() => clearInterval(beats));
  await until(() => used(gateway).length === 1, 'the silent one gone');
  expect(performance.now() - before).toBeGreaterThan(500);
  expect(used(gateway)).toEqual([`${a.endpoint} 1`]);
  clearInterval(beats);
  await until(() => used(gateway).length === 0, 'both gone');
  expect((await gateway.ask('/orders/1')).status).toBe(503);
});

test('a restart forgets nobody', async () => {
  const a = await startOrigin();
  const before = await startTestGateway(`stateDir: ./state\n${YAML}`);
  await call(await startAdmin(before), 'PUT', '/registry/orders/i-1', {
    address: a.endpoint,
    metadata: { v: '2' },
  });
  await until(() => used(before).length === 1, 'an endpoint');
  await before.gateway.stop();
  const after = await startTestGateway(`stateDir: ${before.folder}/state\n${YAML}`);
  expect((await after.ask('/orders/1')).status).toBe(200);
  const { json } = await call(await startAdmin(after), 'GET', '/registry');
  expect(json).toMatchObject([{ instance: 'i-1', metadata: { v: '2' }, draining: false }]);
});

test('a reload keeps the instances', async () => {
  const a = await startOrigin();
  const gateway = await startTestGateway(YAML);
  await call(await startAdmin(gateway), 'PUT', '/registry/orders/i-1', { address: a.endpoint });
  await until(() => used(gateway).length === 1, 'an endpoint');
  await gateway.edit(`${YAML}  - { path: /others, upstream: push/others }\n`);
  expect((await gateway.ask('/orders/1')).status).toBe(200);
});

test.each([
  ['', 'the body is empty'],
  ['{"adress": "127.0.0.1:1"}', 'unknown key `adress`. Did you mean `address`?'],
  ['{"address": "127.0.0.1"}', '`127.0.0.1` names no port'],
  ['{"address": "https://a.example", "protocol": "http"}', '`http` is not what the URL says'],
  ['{"address": "127.0.0.1:1", "ttl": "10ms"}', '`10ms` is shorter than 1s'],
  ['{"address": "127.0.0.1:1", "weight": -1}', '`-1` is not from 0 to'],
  ['{"address": "127.0.0.1:1", "weight', '1:'],
])('the body %s is refused with its reason', async (body, reason) => {
  const gateway = await startTestGateway(YAML);
  const { status, json } = await call(await startAdmin(gateway), 'PUT', '/registry/orders/i-1', body);
  expect(status).toBe(400);
  expect(json.detail).toContain(reason);
});

test('names, sizes and numbers are bounded', async () => {
  const gateway = await startTestGateway(YAML.replace('drain: 400ms', 'instances: 1'));
  const admin = await startAdmin(gateway);
  const address = '127.0.0.1:1';
  for (const path of ['/registry/..%2fa/i', `/registry/orders/${'i'.repeat(128)}`, '/registry/a%20b/i'])
    expect((await call(admin, 'PUT', path, { address })).status, path).toBe(400);
  const large = JSON.stringify({ address, metadata: { a: 'x'.repeat(17_000) } });
  expect((await call(admin, 'PUT', '/registry/orders/i-1', large)).status).toBe(413);
  expect((await call(admin, 'PUT', '/registry/orders/i-1', { address })).status).toBe(201);
  expect((await call(admin, 'PUT', '/registry/orders/i-2', { address })).status).toBe(507);
  expect((await call(admin, 'PUT', '/registry/orders/i-1', { address, weight: 2 })).status).toBe(200);
});

test('a wrong token is refused, and so is everybody where there is no such registry', async () => {
  const gateway = await startTestGateway(YAML);
  const guarded = await startAdmin(gateway, 'sesame');
  const put = (headers: Record<string, string>) =>
    fetch(`http://127.0.0.1:${guarded.port}/registry/orders/i-1`, {
      method: 'PUT',
      headers,
      body: '{"address":"127.0.0.1:1"}',
    });
  expect((await put({ authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await put({ authorization: 'Bearer sesame' })).status).toBe(201);
  expect((await put({ authorization: 'Bearer sesame', origin: 'http://evil.example' })).status).toBe(403);

  const without = await startTestGateway('routes: [{ path: /**, upstream: "http://127.0.0.1:1" }]');
  const { status, json } = await call(await startAdmin(without), 'PUT', '/registry/orders/i-1', {});
  expect([status, json.detail]).toEqual([404, expect.stringContaining('registries: { push: {} }')]);
});

test('a body that breaks off enters nobody, and the server goes on', async () => {
  const gateway = await startTestGateway(YAML);
  const admin = await startAdmin(gateway);
  const socket = connect(admin.port, '127.0.0.1');
  socket.write('PUT /registry/orders/i-1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60\r\n\r\n');
  await new Promise<void>((resolve) =>
    socket.write('{"address":"127.0.0.1:1"}', () => {
      socket.destroy();
      resolve();
    }),
  );
  const { json } = await call(admin, 'GET', '/registry');
  expect(json).toEqual([]);
  expect((await call(admin, 'PUT', '/registry/orders/i-1', { address: '127.0.0.1:1' })).status).toBe(201);
});
