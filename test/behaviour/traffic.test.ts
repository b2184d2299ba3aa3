/** Where a route's traffic goes and what is done to it: sticky splits, canaries by header, faults made on purpose. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';

const two = async () => {
  const [stable, canary] = [await startOrigin(), await startOrigin()];
  const upstreams = `
upstreams:
  stable: { targets: ["${stable.url}"] }
  canary: { targets: ["${canary.url}"] }`;
  return { stable, canary, upstreams };
};

test('a split by a word keeps everybody where they are, through a reload and as the canary grows', async () => {
  const { canary, upstreams } = await two();
  const yaml = (share: number) => `${upstreams}
routes:
  - { path: /**, upstream: { stable: ${100 - share}, canary: ${share} }, splitBy: header.x-user }
`;
  const gateway = await startTestGateway(yaml(30));
  const users = Array.from({ length: 60 }, (_, at) => `user-${at}`);
  const toCanary = async () => {
    const there = new Set<string>();
    for (const user of users) {
      const { body } = await gateway.ask('/', { headers: { 'x-user': user } });
      if (body === String(canary.port)) there.add(user);
    }
    return there;
  };
  const before = await toCanary();
  expect(before.size).toBeGreaterThan(5);
  expect(before.size).toBeLessThan(35);
  expect(await toCanary()).toEqual(before);
  await gateway.edit(yaml(60));
  const after = await toCanary();
  expect(after.size).toBeGreaterThan(before.size);
  expect([...before].every((user) => after.has(user))).toBe(true);
});

test('a request without the key goes by the ordinary split', async () => {
  const { stable, canary, upstreams } = await two();
  const { ask } = await startTestGateway(`${upstreams}
routes:
  - { path: /**, upstream: { stable: 3, canary: 1 }, splitBy: cookie.session }
`);
  for (let n = 0; n < 8; n++) await ask('/', { headers: n % 2 === 0 ? { cookie: 'session=' } : {} });
  expect([stable.reached.length, canary.reached.length]).toEqual([6, 2]);
});

test('a canary for those who send a header is a route that matches it', async () => {
  const { stable, canary, upstreams } = await two();
  const { ask } = await startTestGateway(`${upstreams}
routes:
  - { path: /**, upstream: stable }
  - { path: /**, headers: { x-beta: "1" }, upstream: canary }
`);
  await ask('/', { headers: { 'x-beta': '1' } });
  await ask('/', { headers: { 'x-beta': '0' } });
  await ask('/');
  expect([stable.reached.length, canary.reached.length]).toEqual([2, 1]);
});

test('a fault hits who asks for it and nobody else, and is named in log and metrics', async () => {
  const origin = await startOrigin();
  const gateway = await startTestGateway(`
routes:
  - name: shop
    path: /**
    upstream: ${origin.url}
    fault: { delay: 150ms, abort: 418, when: { header.x-chaos: "on" } }
`);
  expect((await gateway.ask('/well')).status).toBe(200);
  const hit = await gateway.ask('/hit', { headers: { 'x-chaos': 'on' } });
  expect([hit.status, JSON.parse(hit.body).code]).toEqual([418, 'GW_FAULT']);
  expect(origin.reached).toHaveLength(1);
  const line = await gateway.line(({ path }) => path === '/hit');
  expect(line).toMatchObject({ status: 418, code: 'GW_FAULT', attempts: 0 });
  expect(line.durationMs).toBeGreaterThanOrEqual(150);
  const series = await gateway.series();
  expect(series.get('snowgate_faults_injected_total{kind="abort",route="shop"}')).toBe(1);
  expect(series.get('snowgate_faults_injected_total{kind="delay",route="shop"}')).toBe(1);
});

test('a request that is held up goes on with its body, and one whose client leaves does not', async () => {
  const origin = await startOrigin((_request, response, body) => response.end(body));
  const gateway = await startTestGateway(`
routes:
  - { path: /**, upstream: "${origin.url}", fault: { delay: 200ms, when: { header.x-chaos: "on" } } }
`);
  const headers = { 'x-chaos': 'on' };
  const answer = await gateway.ask('/kept', { method: 'POST', headers, body: 'all of it' });
  expect([answer.status, answer.body]).toEqual([200, 'all of it']);

  const socket = connect(gateway.port, '127.0.0.1');
  socket.write('GET /left HTTP/1.1\r\nhost: a\r\nx-chaos: on\r\n\r\n', () => socket.destroy());
  expect(await gateway.line(({ path }) => path === '/left')).toMatchObject({
    code: 'GW_CLIENT_LEFT',
    attempts: 0,
  });
  // A later request of the same kind gets through; the one before it would have by then.
  await gateway.ask('/last', { headers });
  expect(origin.reached.map(({ url }) => url)).toEqual(['/kept', '/last']);
});
