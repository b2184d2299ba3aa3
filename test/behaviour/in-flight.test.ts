/** The in-flight plugin through the whole gateway: how many requests of a client are under way at once. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { type Answer, startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { type HeldOrigin, startHeldOrigin } from '../kit/held-origin.ts';
import { configIssues } from '../kit/plugin.ts';

const yaml = (url: string, settings: string, upstream = '') => `upstreams:
  slow: { targets: [${url}]${upstream} }
plugins:
  in-flight: ${settings}
routes:
  - { path: /**, upstream: slow }
`;

const status = (answer: Promise<Answer>) => answer.then((each) => each.status);

const start = async (settings: string, upstream = '') => {
  const origin = await startHeldOrigin();
  const gateway = await startTestGateway(yaml(origin.url, settings, upstream));
  return { origin, gateway };
};

/** Nothing is under way any more: two requests pass at once. */
const expectEmpty = async (gateway: TestGateway, origin: HeldOrigin) => {
  const both = [gateway.ask('/'), gateway.ask('/')];
  await origin.arrive(2);
  origin.answer(2);
  expect(await Promise.all(both.map(status))).toEqual([200, 200]);
};

test('more than the limit at once are refused, and the next passes when one has ended', async () => {
  const { origin, gateway } = await start('{ limit: 2 }');
  const first = [gateway.ask('/'), gateway.ask('/')];
  await origin.arrive(2);
  const refused = await gateway.ask('/');
  expect(refused.status).toBe(429);
  expect(refused.headers['retry-after']).toBe('1');
  expect(refused.headers['ratelimit-policy']).toBe('"in-flight";q=2;qu="concurrent-requests"');
  expect(JSON.parse(refused.body).code).toBe('GW_IN_FLIGHT');
  origin.answer(2);
  expect(await Promise.all(first.map(status))).toEqual([200, 200]);
  await expectEmpty(gateway, origin);
});

test('those in line come in as others end, in their order', async () => {
  const { origin, gateway } = await start('{ limit: 1, queue: 2, queueTimeout: 10s }');
  const answers = ['/1', '/2', '/3'].map((path) => gateway.ask(path));
  await origin.arrive(1);
  expect((await gateway.ask('/4')).status).toBe(429);
  for (let at = 0; at < 3; at++) {
    await origin.arrive(1);
    origin.answer();
  }
  expect(await Promise.all(answers.map(status))).toEqual([200, 200, 200]);
});

test('who waits for longer than queueTimeout is refused', async () => {
  const { origin, gateway } = await start('{ limit: 1, queue: 5, queueTimeout: 50ms }');
  const first = gateway.ask('/');
  await origin.arrive(1);
  expect((await gateway.ask('/')).status).toBe(429);
  origin.answer();
  expect((await first).status).toBe(200);
});

test('a client that leaves gives its place back, in line or under way', async () => {
  const { origin, gateway } = await start('{ limit: 2, queue: 5, queueTimeout: 10s }');
  const sockets = [1, 2, 3].map(() => connect(gateway.port, '127.0.0.1'));
  for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await origin.arrive(2);
  for (const socket of sockets) socket.destroy();
  await until(
    () => gateway.access.filter((line) => line.code === 'GW_CLIENT_LEFT').length === 3,
    'three ends',
  );
  await origin.arrive(0);
  await expectEmpty(gateway, origin);
});

test('an upstream that takes the plugin away does not keep the place', async () => {
  const { origin, gateway } = await start('{ limit: 1 }', ', plugins: { in-flight: false }');
  for (let at = 0; at < 3; at++) {
    const answer = gateway.ask('/');
    await origin.arrive(1);
    origin.answer();
    expect((await answer).status).toBe(200);
  }
});

test('a refusal by another plugin gives the place back', async () => {
  const gateway = await startTestGateway(`plugins:
  in-flight: { limit: 1 }
  rate-limit: { rate: 1/h }
routes:
  - { path: /**, plugins: { respond: { status: 204 } } }
`);
  const seen: number[] = [];
  for (let at = 0; at < 3; at++) seen.push((await gateway.ask('/')).status);
  expect(seen).toEqual([204, 429, 429]);
  expect(gateway.access.map((line) => line.code)).not.toContain('GW_IN_FLIGHT');
});

test('an edit keeps those counted who are in', async () => {
  const { origin, gateway } = await start('{ limit: 1 }');
  const first = gateway.ask('/');
  await origin.arrive(1);
  await gateway.edit(yaml(origin.url, '{ limit: 1, queueTimeout: 2s }'));
  expect((await gateway.ask('/')).status).toBe(429);
  origin.answer();
  expect((await first).status).toBe(200);
  await gateway.edit(yaml(origin.url, '{ limit: 2 }'));
  await expectEmpty(gateway, origin);
});

test('a plan has a limit of its own, or none', async () => {
  const { origin, gateway } = await start('{ limit: 1, plan: header.plan, plans: { pro: 2, staff: false } }');
  const ask = (plan: string) => gateway.ask('/', { headers: { plan } });
  const inside = [ask('pro'), ask('pro')];
  await origin.arrive(2);
  expect((await ask('pro')).status).toBe(429);
  inside.push(ask('staff'), ask('staff'));
  await origin.arrive(4);
  origin.answer(4);
  expect(await Promise.all(inside.map(status))).toEqual([200, 200, 200, 200]);
});

const REFUSED: [config: unknown, path: string[], part: string][] = [
  [{}, ['limit'], 'is missing'],
  [{ limit: 0 }, ['limit'], ''],
  [{ limit: 1, queueTimeout: 5 }, ['queueTimeout'], ''],
  [{ limit: 1, shared: true }, [], 'needs `redis`'],
  [{ limit: 1, plans: { a: 1 } }, ['plans'], 'need each other'],
];
for (const [config, path, part] of REFUSED) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    const issues = await configIssues('in-flight', config);
    expect(issues.map((issue) => issue.path.map(String))).toContainEqual(path);
    expect(issues.map((issue) => issue.message).join('; ')).toContain(part);
  });
}

test('the calls under way that a scrape tells are right while others end', async () => {
  const { origin, gateway } = await start('{ limit: 10 }');
  const going = [gateway.ask('/'), gateway.ask('/')];
  await origin.arrive(2);
  const underWay = async () =>
    [...(await gateway.series())].find(([name]) => name.startsWith('snowgate_endpoint_in_flight{'))?.[1];
  // The scrape renders what was measured when it began; a call ends in between.
  const scraped = underWay();
  origin.answer(1);
  await Promise.race(going);
  expect(await scraped).toBe(2);
  expect(await underWay()).toBe(1);
  origin.answer(1);
  await Promise.all(going);
  await expect.poll(underWay).toBe(0);
});
