/** The circuit breaker in the whole gateway: upstreams that fail, hang and come back, on real sockets. */
import { expect, test } from 'vitest';
import { startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { type Origin, startOrigin } from '../kit/gateway-origin.ts';

const yaml = (origin: Origin, more = '') => `
upstreams:
  orders: { targets: ["${origin.url}"], outlier: off, breaker: { openFor: 1s, minimum: 10${more} } }
routes: [{ name: orders, path: /**, upstream: orders }]
`;
const breakerOf = ({ gateway }: TestGateway) => gateway.describeUpstreams()[0]!.breaker!;

test('an upstream that always fails is left alone, and told apart in answer, log, metrics and state', async () => {
  const origin = await startOrigin((_, response) => response.writeHead(500).end());
  const gateway = await startTestGateway(yaml(origin));
  const codes: number[] = [];
  for (let n = 0; n < 100; n++) codes.push((await gateway.ask('/')).status);
  expect(origin.reached).toHaveLength(10);
  expect(codes.slice(10)).toEqual(Array.from({ length: 90 }, () => 503));
  const { headers, body } = await gateway.ask('/');
  expect(headers['retry-after']).toBe('1');
  expect(headers['proxy-status']).toContain('code=GW_BREAKER_OPEN');
  expect(JSON.parse(body)).toMatchObject({ code: 'GW_BREAKER_OPEN', status: 503 });
  expect(await gateway.logged('the circuit breaker has opened')).toMatchObject({
    upstream: 'orders',
    level: 'warn',
    why: '10 of 10 calls within 10s failed, the last: status 500',
  });
  const series = await gateway.series();
  expect(series.get('snowgate_upstream_breaker_state{upstream="orders"}')).toBe(2);
  expect(series.get('snowgate_upstream_breaker_opened_total{upstream="orders"}')).toBe(1);
  expect(breakerOf(gateway)).toMatchObject({ phase: 'open', opened: 1 });
});

test('an upstream that is back is found so by a few calls, and nothing of it is lost by reloads', async () => {
  let healthy = false;
  const origin = await startOrigin((_, response) => response.writeHead(healthy ? 200 : 503).end());
  const gateway = await startTestGateway(yaml(origin));
  for (let n = 0; n < 10; n++) await gateway.ask('/');
  expect(breakerOf(gateway).phase).toBe('open');
  await gateway.edit(`${yaml(origin)}log: { level: warn }\n`);
  expect((await gateway.ask('/')).status).toBe(503);
  expect(origin.reached).toHaveLength(10);
  healthy = true;
  await until(() => breakerOf(gateway).phase === 'half-open', 'the breaker to let calls try');
  for (let n = 0; n < 3; n++) expect((await gateway.ask('/')).status).toBe(200);
  expect(breakerOf(gateway)).toMatchObject({ phase: 'closed', opened: 1, calls: 0 });
});

test('one that accepts and never answers: 504 in time, then 503 at once, and every slot comes back', async () => {
  const origin = await startOrigin(() => undefined);
  const gateway = await startTestGateway(`
upstreams:
  orders:
    targets: ["${origin.url}"]
    timeouts: { firstByte: 300ms }
    breaker: { minimum: 10, openFor: 60s }
routes: [{ path: /**, upstream: orders }]
`);
  const hung = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const startMs = performance.now();
      const { status } = await gateway.ask('/');
      return { status, tookMs: performance.now() - startMs };
    }),
  );
  for (const { status, tookMs } of hung) {
    expect(status).toBe(504);
    expect(tookMs).toBeGreaterThan(295);
  }
  expect(Math.min(...hung.map(({ tookMs }) => tookMs))).toBeLessThan(450);
  const refused = await gateway.ask('/');
  expect([refused.status, JSON.parse(refused.body).code]).toEqual([503, 'GW_BREAKER_OPEN']);
  expect(gateway.gateway.describeUpstreams()[0]!.endpoints[0]).toMatchObject({ inFlight: 0, connections: 0 });
});

test('clients that give up on a hung upstream open it too', async () => {
  const origin = await startOrigin(() => undefined);
  const gateway = await startTestGateway(yaml(origin, ', slowAfter: 100ms'));
  const asked = Array.from({ length: 10 }, () =>
    fetch(`http://127.0.0.1:${gateway.port}/`, { signal: AbortSignal.timeout(250) }).catch(() => null),
  );
  expect(await Promise.all(asked)).toEqual(asked.map(() => null));
  await until(() => breakerOf(gateway).phase === 'open', 'the breaker to open');
});

test('faults of clients never open it', async () => {
  const origin = await startOrigin((_, response) => response.writeHead(429).end());
  const gateway = await startTestGateway(yaml(origin));
  for (let n = 0; n < 50; n++) expect((await gateway.ask('/')).status).toBe(429);
  expect(breakerOf(gateway)).toMatchObject({ phase: 'closed', calls: 50, failed: 0 });
});

test('it can be switched off', async () => {
  const origin = await startOrigin((_, response) => response.writeHead(500).end());
  const gateway = await startTestGateway(`
upstreams: { orders: { targets: ["${origin.url}"], breaker: off } }
routes: [{ path: /**, upstream: orders }]
`);
  for (let n = 0; n < 50; n++) expect((await gateway.ask('/')).status).toBe(500);
  expect(origin.reached).toHaveLength(50);
  expect(gateway.gateway.describeUpstreams()[0]!.breaker).toBeNull();
  expect(await gateway.scrape()).not.toContain('snowgate_upstream_breaker_state{');
});
