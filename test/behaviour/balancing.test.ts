/** Balancing as clients and endpoints see it: real servers that are slow, loaded, gone and back. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Answer, startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { type Handler, type Origin, startOrigin } from '../kit/gateway-origin.ts';

const PROGRAM = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

const origins = (...handlers: (Handler | undefined)[]): Promise<Origin[]> =>
  Promise.all(handlers.map((handler) => startOrigin(handler)));

const through = (all: readonly Origin[], settings: string) =>
  startTestGateway(`
upstreams:
  app:
    targets: [${all.map((origin) => `"${origin.url}"`).join(', ')}]
    ${settings}
routes:
  - { path: /**, upstream: app }
`);

/** `count` requests, `width` at a time. */
const load = async (gateway: TestGateway, count: number, width: number) => {
  let left = count;
  const client = async () => {
    while (left-- > 0) expect((await gateway.ask('/')).status).toBe(200);
  };
  await Promise.all(Array.from({ length: width }, client));
};

const portOf = async (gateway: TestGateway, headers: Record<string, string>) =>
  Number((await gateway.ask('/', { headers })).body);

describe('ewma', () => {
  test('a slow one of three gets little', async () => {
    const slow: Handler = (_request, response) => void setTimeout(() => response.end(), 400);
    const all = await origins(slow, undefined, undefined);
    const gateway = await through(all, 'balance: ewma');
    await load(gateway, 240, 4);
    // A busy machine makes the others slow at times too, but never that slow for long.
    expect(all[0]!.reached.length).toBeLessThan(240 / 8);
    expect(all[1]!.reached.length).toBeGreaterThan(240 / 6);
    expect(all[2]!.reached.length).toBeGreaterThan(240 / 6);
  });

  test('an endpoint that fails at once does not draw the calls', async () => {
    const broken: Handler = (_request, response) => void response.writeHead(500).end();
    const steady: Handler = (_request, response) => void setTimeout(() => response.end(), 10);
    const all = await origins(broken, steady, steady);
    const gateway = await through(all, 'balance: ewma');
    for (let n = 0; n < 120; n++) await gateway.ask('/');
    expect(all[0]!.reached.length).toBeLessThan(120 / 10);
  });
});

describe('sticky', () => {
  const SECRET = 'secret: 0123456789abcdef0123';
  const cookieOf = (answer: Answer) => answer.headers['set-cookie']?.[0];
  const pair = (cookie: string) => cookie.split(';')[0]!;

  test('a client stays with the endpoint that served it first, and gets its cookie once', async () => {
    const gateway = await through(
      await origins(undefined, undefined, undefined),
      `sticky: { cookie: place, ${SECRET} }`,
    );
    const first = await gateway.ask('/');
    expect(cookieOf(first)).toMatch(/^place=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/);
    const cookie = `other=1; ${pair(cookieOf(first)!)}`;
    for (let n = 0; n < 12; n++) {
      const again = await gateway.ask('/', { headers: { cookie } });
      expect(again.body).toBe(first.body);
      expect(again.headers['set-cookie']).toBeUndefined();
    }
  });

  test('lasts as long as it says, is kept off plain connections, and leaves other cookies alone', async () => {
    const withCookies: Handler = (_request, response) =>
      void response.setHeader('set-cookie', ['a=1', 'b=2']).end();
    const [origin] = await origins(withCookies);
    const gateway = await startTestGateway(`
trustedProxies: 127.0.0.1
upstreams:
  app: { targets: ["${origin!.url}"], sticky: { cookie: place, ttl: 90s, ${SECRET} } }
routes:
  - { path: /**, upstream: app }
`);
    const answer = await gateway.ask('/', { headers: { 'x-forwarded-proto': 'https' } });
    expect(answer.headers['set-cookie']).toEqual([
      'a=1',
      'b=2',
      expect.stringMatching(/^place=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=90; Secure$/),
    ]);
  });

  test('tells nothing of the endpoint, and cannot be made up', async () => {
    const all = await origins(undefined, undefined);
    const gateway = await through(all, `sticky: { cookie: place, ${SECRET} }`);
    const forged = [...all.map((origin) => origin.endpoint), '0', 'x'.repeat(22), '__proto__', 'constructor'];
    for (const value of forged) {
      const answer = await gateway.ask('/', { headers: { cookie: `place=${value}` } });
      expect(answer.status).toBe(200);
      expect(cookieOf(answer)).toMatch(/^place=/);
      for (const origin of all) expect(cookieOf(answer)).not.toContain(String(origin.port));
    }
  });

  test('the same secret gives the same cookie in another gateway', async () => {
    const all = await origins(undefined, undefined, undefined);
    const here = await through(all, `sticky: { cookie: place, ${SECRET} }`);
    const there = await through(all, `sticky: { cookie: place, ${SECRET} }`);
    const first = await here.ask('/');
    const cookie = pair(cookieOf(first)!);
    for (let n = 0; n < 6; n++) {
      const again = await there.ask('/', { headers: { cookie } });
      expect([again.body, cookieOf(again)]).toEqual([first.body, undefined]);
    }
  });

  test('an endpoint that is gone is replaced, with a new cookie that holds', async () => {
    const all = await origins(undefined, undefined, undefined);
    const gateway = await through(all, `sticky: { cookie: place, ${SECRET} }`);
    const first = await gateway.ask('/');
    await all.find((origin) => String(origin.port) === first.body)!.close();
    const moved = await gateway.ask('/', { headers: { cookie: pair(cookieOf(first)!) } });
    expect(moved.status).toBe(200);
    expect(moved.body).not.toBe(first.body);
    const cookie = pair(cookieOf(moved)!);
    for (let n = 0; n < 6; n++)
      expect((await gateway.ask('/', { headers: { cookie } })).body).toBe(moved.body);
  });

  test('a reload breaks no stickiness, even without a secret', async () => {
    const all = await origins(undefined, undefined, undefined);
    const yaml = (timeout: string) => `
upstreams:
  app: { targets: [${all.map((origin) => `"${origin.url}"`).join(', ')}], sticky: { cookie: place } }
routes:
  - { path: /**, upstream: app, timeout: ${timeout} }
`;
    const gateway = await startTestGateway(yaml('10s'));
    const first = await gateway.ask('/');
    await gateway.edit(yaml('20s'));
    for (let n = 0; n < 6; n++) {
      const again = await gateway.ask('/', { headers: { cookie: pair(cookieOf(first)!) } });
      expect([again.body, cookieOf(again)]).toEqual([first.body, undefined]);
    }
  });
});

describe('hash', () => {
  test('a key stays through the flap of another endpoint, and comes home after that of its own', async () => {
    const all = await origins(undefined, undefined, undefined);
    const gateway = await through(all, 'balance: { hash: { by: header.x-tenant } }');
    const tenants = Array.from({ length: 30 }, (_, at) => `tenant-${at}`);
    const places = () => Promise.all(tenants.map((tenant) => portOf(gateway, { 'x-tenant': tenant })));
    const before = await places();
    expect(new Set(before).size).toBe(3);
    expect(await places()).toEqual(before);

    const gone = all[0]!;
    await gone.close();
    const without = await places();
    for (const [at, port] of before.entries()) {
      if (port === gone.port) expect(without[at]).not.toBe(port);
      else expect(without[at]).toBe(port);
    }
    await startOrigin(undefined, gone.port);
    let back = without;
    const over = Date.now() + 10_000;
    while (back.join() !== before.join() && Date.now() < over) back = await places();
    expect(back).toEqual(before);
  });

  test('explain names the endpoint that a key really goes to', async () => {
    const all = await origins(undefined, undefined, undefined);
    const gateway = await through(all, 'balance: { hash: { by: header.x-tenant } }');
    const goesTo = async (...more: string[]) => {
      const file = join(gateway.folder, 'gateway.yaml');
      const args = [PROGRAM, 'explain', 'GET', '/', '-c', file, '--json', ...more];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      return JSON.parse(stdout).targets[0].home;
    };
    const port = await portOf(gateway, { 'x-tenant': 'tenant-7' });
    expect(await Promise.all([goesTo('-H', 'x-tenant: tenant-7'), goesTo()])).toEqual([
      { by: 'header.x-tenant', endpoint: `127.0.0.1:${port}` },
      { by: 'header.x-tenant', endpoint: null },
    ]);
  });

  test('two gateways agree, and requests without the key go everywhere', async () => {
    const all = await origins(undefined, undefined, undefined);
    const here = await through(all, 'balance: { hash: { by: header.x-tenant } }');
    const there = await through(all.toReversed(), 'balance: { hash: { by: header.x-tenant } }');
    for (let at = 0; at < 10; at++) {
      const headers = { 'x-tenant': `tenant-${at}` };
      expect(await portOf(here, headers)).toBe(await portOf(there, headers));
    }
    const anywhere = await Promise.all(Array.from({ length: 40 }, () => portOf(here, {})));
    expect(new Set(anywhere).size).toBe(3);
  });
});

describe('weighted', () => {
  const reporting =
    (report: string): Handler =>
    (request, response) =>
      void response.setHeader('endpoint-load-metrics', report).end(String(request.socket.localPort));

  test('the load that endpoints report shifts their shares, and clients do not see it', async () => {
    const all = await origins(
      reporting('TEXT cpu_utilization=0.9,rps_fractional=100'),
      reporting('JSON {"cpu_utilization":0.1,"rps_fractional":100}'),
    );
    const gateway = await through(all, 'balance: { weighted: { load: header.endpoint-load-metrics } }');
    const share = async () => {
      const before = all.map((origin) => origin.reached.length);
      await load(gateway, 40, 2);
      const got = all.map((origin, at) => origin.reached.length - before[at]!);
      return got[1]! / 40;
    };
    expect((await gateway.ask('/')).headers['endpoint-load-metrics']).toBeUndefined();
    let now = await share();
    const over = Date.now() + 10_000;
    while (now < 0.85 && Date.now() < over) now = await share();
    expect(now).toBeGreaterThanOrEqual(0.85);
    expect(now).toBeLessThan(0.95);
    const weight = (await gateway.series()).get(
      `snowgate_endpoint_weight{endpoint="${all[1]!.endpoint}",upstream="app"}`,
    );
    expect(weight).toBeGreaterThan(1.7);
  });
});

test('a new endpoint begins with a tenth of its share', async () => {
  const all = await origins(undefined, undefined);
  const yaml = (count: number) => `
upstreams:
  app:
    targets: [${all
      .slice(0, count)
      .map((origin) => `"${origin.url}"`)
      .join(', ')}]
    slowStart: 5m
routes:
  - { path: /**, upstream: app }
`;
  const gateway = await startTestGateway(yaml(1));
  await gateway.ask('/');
  await gateway.edit(yaml(2));
  await load(gateway, 110, 2);
  expect(all[1]!.reached.length).toBeGreaterThanOrEqual(9);
  expect(all[1]!.reached.length).toBeLessThanOrEqual(11);
});

test('the method changes under load without a lost request', async () => {
  const all = await origins(undefined, undefined, undefined);
  const yaml = (balance: string) => `
upstreams:
  app:
    targets: [${all.map((origin) => `"${origin.url}"`).join(', ')}]
    balance: ${balance}
    sticky: { cookie: place, secret: 0123456789abcdef }
routes:
  - { path: /**, upstream: app }
`;
  const gateway = await startTestGateway(yaml('round-robin'));
  const statuses: number[] = [];
  let over = false;
  const clients = Array.from({ length: 4 }, async () => {
    while (!over) statuses.push((await gateway.ask('/')).status);
  });
  for (const balance of ['ewma', 'hash', 'weighted', 'least-request', 'random', 'ewma', 'round-robin']) {
    await gateway.edit(yaml(balance));
    const seen = statuses.length;
    await until(() => statuses.length > seen + 20, 'requests');
  }
  over = true;
  await Promise.all(clients);
  expect(new Set(statuses)).toEqual(new Set([200]));
});

describe('zones', () => {
  test('calls stay in the own zone, leave it when it dies, and come back with it', async () => {
    const all = await origins(undefined, undefined, undefined);
    const [near, ...far] = all as [Origin, ...Origin[]];
    const gateway = await startTestGateway(
      `
zone: here
registries:
  local: { type: file, path: services.yaml }
upstreams:
  app: { discover: local/app, slowStart: 1s }
routes:
  - { path: /**, upstream: app }
`,
      {
        'services.yaml': `app: [{ address: ${near.url}, zone: here }, ${far
          .map(({ url }) => `{ address: ${url}, zone: there }`)
          .join(', ')}]`,
      },
    );
    await load(gateway, 30, 3);
    expect(all.map(({ reached }) => reached.length)).toEqual([30, 0, 0]);
    await near.close();
    await load(gateway, 30, 3);
    expect(far.reduce((sum, { reached }) => sum + reached.length, 0)).toBe(30);
    const again = await startOrigin(undefined, near.port);
    const over = Date.now() + 10_000;
    while (again.reached.length === 0 && Date.now() < over) await load(gateway, 1, 1);
    await load(gateway, 30, 3);
    expect(again.reached.length).toBeGreaterThanOrEqual(31);
  });
});

test('with two of three checks failing, nobody believes them: all endpoints get requests, and it is told', async () => {
  const sick: Handler = (request, response) =>
    void response.writeHead(request.url === '/healthz' ? 503 : 200).end();
  const all = await origins(sick, sick, undefined);
  const gateway = await through(all, 'health: { path: /healthz, interval: 100ms, fall: 1 }');
  await until(() => gateway.gateway.describeUpstreams()[0]!.panic, 'two checks to fail');
  const before = all.map(({ reached }) => reached.filter(({ url }) => url === '/').length);
  await load(gateway, 30, 3);
  const got = all.map(({ reached }, at) => reached.filter(({ url }) => url === '/').length - before[at]!);
  expect(got).toEqual([10, 10, 10]);
  expect((await gateway.series()).get('snowgate_upstream_panic{upstream="app"}')).toBe(1);
  expect(await gateway.logged('too few endpoints are available')).toMatchObject({
    upstream: 'app',
    available: '33%',
  });
});
