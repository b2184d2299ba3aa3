/** The timeout plugin through the whole gateway: each plan waits for as long as it may, and never past the route. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startTestGateway, until } from '../kit/gateway.ts';
import { startOrigin, startRawOrigin } from '../kit/gateway-origin.ts';
import { startHeldOrigin } from '../kit/held-origin.ts';
import { configIssues } from '../kit/plugin.ts';

const TOLD = 'x-envoy-expected-rq-timeout-ms';

const PLANS = '{ limit: 800ms, plan: header.plan, plans: { free: 200ms, pro: 60s, staff: false } }';

/** A gateway before an origin that takes every request and never answers. */
const startSilent = async (plugin: string, timeout: string, more = '') => {
  const origin = await startRawOrigin((socket) => socket.resume());
  const yaml = (settings: string) => `
upstreams:
  silent: { targets: ["${origin.url}"]${more} }
routes:
  - { path: /**, upstream: silent, timeout: ${timeout}, plugins: { timeout: ${settings} } }
`;
  const gateway = await startTestGateway(yaml(plugin));
  /** How a request of the plan ended, and after how long. */
  const end = async (plan?: string) => {
    const seen = gateway.access.length;
    const answer = await gateway.ask('/', { headers: plan === undefined ? {} : { plan } });
    const line = await gateway.line((each) => gateway.access.indexOf(each) >= seen);
    expect([answer.status, JSON.parse(answer.body).code, line.code]).toEqual([
      504,
      'GW_TIMEOUT',
      'GW_TIMEOUT',
    ]);
    return line.durationMs as number;
  };
  return { gateway, yaml, end };
};

const expectAbout = (tookMs: number, limitMs: number) => {
  expect(tookMs).toBeGreaterThanOrEqual(limitMs);
  // Far below the next longer limit of these tests, however busy the machine is.
  expect(tookMs).toBeLessThan(limitMs + 5000);
};

test('a plan waits for its own time, any other for the limit', async () => {
  const { end } = await startSilent(PLANS, '30s');
  const [free, none, unknown] = [await end('free'), await end(), await end('gold')];
  expectAbout(free, 200);
  expectAbout(none, 800);
  expectAbout(unknown, 800);
});

test('the shorter timeout of the route still rules', async () => {
  const { end } = await startSilent(PLANS, '300ms');
  for (const plan of ['pro', 'staff', 'gold']) expectAbout(await end(plan), 300);
});

test('tries that follow one another share the time of the plan', async () => {
  const { gateway, end } = await startSilent(PLANS, '30s', ', retry: { attempts: 9, perTry: 150ms }');
  // Long enough for a second try on a machine that stalls over the first.
  expectAbout(await end(), 800);
  expect(gateway.access[0]!.attempts).toBeGreaterThan(1);
});

test('an edit holds for the next request', async () => {
  const { gateway, yaml, end } = await startSilent('{ limit: 20s }', '30s');
  await gateway.edit(yaml('{ limit: 150ms }'));
  expectAbout(await end(), 150);
});

test('an upstream hears the time of the plan, and of two instances the shorter', async () => {
  const origin = await startOrigin();
  const { ask } = await startTestGateway(`
plugins:
  everybody: { type: timeout, limit: 7s }
routes:
  - path: /**
    upstream: "${origin.url}"
    timeout: 20s
    plugins: { timeout: { plan: header.plan, plans: { free: 3s, pro: 12s } } }
`);
  for (const plan of ['free', 'pro', 'gold']) await ask('/', { headers: { plan } });
  const told = origin.reached.map(({ headers }) => Math.ceil(Number(headers[TOLD]) / 1000));
  expect(told).toEqual([3, 7, 7]);
});

test('an aggregate has the time for all its parts together', async () => {
  const quick = await startOrigin((_request, response) =>
    response.setHeader('content-type', 'application/json').end('{}'),
  );
  const silent = await startRawOrigin((socket) => socket.resume());
  const gateway = await startTestGateway(`
routes:
  - path: /both
    timeout: 30s
    plugins: { timeout: { limit: 250ms } }
    aggregate:
      quick: { upstream: "${quick.url}", path: / }
      silent: { upstream: "${silent.url}", path: / }
`);
  const answer = await gateway.ask('/both');
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, 'GW_TIMEOUT']);
  expectAbout((await gateway.line(({ path }) => path === '/both')).durationMs as number, 250);
});

test('a wait in line ends with the time of the plan, wherever the plugin stands, and the line is left', async () => {
  const origin = await startHeldOrigin();
  const gateway = await startTestGateway(`
routes:
  - path: /**
    upstream: ${origin.url}
    plugins: { in-flight: { limit: 1, queue: 1, queueTimeout: 60s }, timeout: ${PLANS} }
`);
  const ask = (plan: string) => gateway.ask(`/${plan}`, { headers: { plan } });
  const first = ask('staff');
  await origin.arrive(1);
  // A second one finds the only place in line free again.
  for (let at = 0; at < 2; at++) {
    const seen = gateway.access.length;
    const { status, body } = await ask('free');
    expect([status, JSON.parse(body).code]).toEqual([504, 'GW_TIMEOUT']);
    const line = await gateway.line((each) => gateway.access.indexOf(each) >= seen);
    expect([line.code, line.detail]).toEqual(['GW_TIMEOUT', 'while a plugin was at work']);
    expectAbout(line.durationMs as number, 200);
  }
  origin.answer(1);
  expect((await first).status).toBe(200);
  expect(origin.paths).toEqual(['/staff']);
});

test('a service that is asked has no longer than the route', async () => {
  const silent = await startRawOrigin((socket) => socket.resume());
  const origin = await startOrigin();
  const gateway = await startTestGateway(`
routes:
  - path: /**
    upstream: ${origin.url}
    timeout: 200ms
    plugins: { ext-auth: { url: "${silent.url}", timeout: 60s } }
`);
  const answer = await gateway.ask('/');
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, 'GW_TIMEOUT']);
  expectAbout((await gateway.line(() => true)).durationMs as number, 200);
  // Nobody waits for its word any more.
  await until(() => silent.sockets.size === 0, 'the question taken back');
  expect(origin.reached).toEqual([]);
});

test('explain tells the time of the plan', async () => {
  const { gateway } = await startSilent(PLANS, '30s');
  const program = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));
  const explain = (plan: string) =>
    new Promise<string>((resolve) => {
      const args = ['explain', 'GET', '/', '--policies', '-H', `plan: ${plan}`];
      const file = join(gateway.folder, 'gateway.yaml');
      execFile(process.execPath, [program, ...args, '-c', file], (_error, out) => resolve(out));
    });
  expect(await explain('free')).toMatch(/timeout +at most 200ms until the response head by the plan "free"/);
  expect(await explain('staff')).toMatch(/timeout +as long as the route allows by the plan "staff"/);
  expect(await explain('gold')).toMatch(/timeout +at most 800ms until the response head\n/);
});

describe('refused', () => {
  const rows: [config: unknown, path: string[], part: string][] = [
    [{}, [], 'needs a `limit`'],
    [{ limit: 5 }, ['limit'], ''],
    [{ limit: '0s' }, ['limit'], 'must be a duration'],
    [{ plan: 'principal.plan' }, ['plans'], 'need each other'],
    [{ limit: '1s', plans: { a: '1s' } }, ['plans'], 'need each other'],
    [{ plan: 'no.such.word', plans: { a: '1s' } }, ['plan'], ''],
    [{ plan: 'principal.plan', plans: { a: 'soon' } }, ['plans', 'a'], ''],
  ];
  test.each(rows)('%j', async (config, path, part) => {
    const issues = await configIssues('timeout', config);
    expect(issues.map((issue) => issue.path.map(String))).toContainEqual(path);
    expect(issues.map((issue) => issue.message).join('; ')).toContain(part);
  });
});
