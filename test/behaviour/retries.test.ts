/** Tries after the first, through the whole gateway with origins that fail for real. */
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { type Handler, startOrigin, startRawOrigin } from '../kit/gateway-origin.ts';

const resetting: Handler = (request) => request.socket.resetAndDestroy();
const yaml = (urls: readonly string[], retry: string, more = '') => `
upstreams:
  orders: { targets: [${urls.join(', ')}], retry: { ${retry} }${more} }
routes: [{ name: orders, path: /**, upstream: orders }]
`;

test('a POST that broke is sent again only where its key tells the upstream that it is the same', async () => {
  const [bad, good] = [await startOrigin(resetting), await startOrigin()];
  const { ask, line } = await startTestGateway(yaml([bad.url, good.url], ''));
  const keyed = await ask('/pay', { method: 'POST', body: 'one', headers: { 'idempotency-key': 'k-1' } });
  expect([keyed.status, keyed.body]).toEqual([200, String(good.port)]);
  expect(good.reached).toMatchObject([{ body: 'one', headers: { 'idempotency-key': 'k-1' } }]);
  expect(await line((each) => each.path === '/pay')).toMatchObject({ attempts: 2, code: '-' });

  const plain: number[] = [];
  for (let n = 0; n < 2; n++) plain.push((await ask('/plain', { method: 'POST', body: 'two' })).status);
  expect(plain.sort()).toEqual([200, 502]);
  expect([...bad.reached, ...good.reached].filter(({ url }) => url === '/plain')).toHaveLength(2);
});

test('a try that takes too long is given up for another endpoint, well before the end of the request', async () => {
  const silent = await startRawOrigin((socket) => socket.resume());
  const good = await startOrigin();
  const gateway = await startTestGateway(yaml([silent.url, good.url], 'perTry: 200ms'));
  const answers = [await gateway.ask('/'), await gateway.ask('/')];
  expect(answers.map(({ body }) => body)).toEqual([String(good.port), String(good.port)]);
  expect(gateway.access.map(({ attempts }) => attempts)).toContain(2);
  const took = gateway.access.map((line) => Number(line.durationMs));
  expect(Math.max(...took)).toBeGreaterThanOrEqual(200);
  expect(Math.max(...took)).toBeLessThan(5000);
  const series = await gateway.series();
  const timedOut = `code="GW_UPSTREAM_TIMEOUT",endpoint="${silent.endpoint}",status="none",upstream="orders"`;
  expect(series.get(`snowgate_upstream_attempts_total{${timedOut}}`)).toBe(1);
  expect(series.get('snowgate_upstream_retries_total{upstream="orders"}')).toBe(1);
});

test('a service that asks for a second of quiet gets it, and one that asks for ten has its answer passed on', async () => {
  const askedAt: number[] = [];
  const busy: Handler = (request, response) => {
    askedAt.push(performance.now());
    const first = askedAt.length === 1;
    if (first) response.writeHead(503, { 'retry-after': '1' });
    else if (request.url === '/long') response.writeHead(503, { 'retry-after': '10' });
    response.end('answer');
  };
  const origin = await startOrigin(busy);
  const { ask } = await startTestGateway(yaml([origin.url], 'on: [503]'));
  expect((await ask('/short')).status).toBe(200);
  expect(askedAt[1]! - askedAt[0]!).toBeGreaterThanOrEqual(1000);
  const long = await ask('/long');
  expect([long.status, long.headers['retry-after'], long.body]).toEqual([503, '10', 'answer']);
  expect(askedAt).toHaveLength(3);
});

test('while everything fails, retries stay within their budget, and the metrics say so', async () => {
  const failing: Handler = (_request, response) => response.writeHead(500).end();
  const [a, b] = [await startOrigin(failing), await startOrigin(failing)];
  const gateway = await startTestGateway(yaml([a.url, b.url], 'on: [500], budget: 10%', ', breaker: off'));
  for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 20 }, () => gateway.ask('/')));
  const reached = a.reached.length + b.reached.length;
  const series = await gateway.series();
  const retries = series.get('snowgate_upstream_retries_total{upstream="orders"}')!;
  expect(reached).toBe(200 + retries);
  // A tenth, or the three that each second may have in any case.
  expect(retries).toBeLessThanOrEqual(40);
  expect(retries).toBeGreaterThanOrEqual(3);
  expect(series.get('snowgate_upstream_retries_refused_total{upstream="orders"}')).toBe(200 - retries);
});

test('a GET that one endpoint is slow to answer is answered by another, and the log names who did', async () => {
  const cut: string[] = [];
  const slow = await startRawOrigin((socket) => {
    socket.resume();
    socket.on('close', () => cut.push('slow'));
  });
  const good = await startOrigin();
  const gateway = await startTestGateway(yaml([slow.url, good.url], 'hedgeAfter: 100ms'));
  for (const path of ['/1', '/2']) {
    const answer = await gateway.ask(path);
    expect([answer.status, answer.body]).toEqual([200, String(good.port)]);
  }
  const hedged = await gateway.line(({ attempts }) => attempts === 2);
  expect(hedged).toMatchObject({ endpoint: good.endpoint, code: '-' });
  expect(hedged.durationMs).toBeGreaterThanOrEqual(100);
  expect(hedged.durationMs).toBeLessThan(5000);
  // The one that lost is not left waiting.
  await expect.poll(() => cut).toEqual(['slow']);
  const series = await gateway.series();
  expect(series.get('snowgate_upstream_hedges_total{upstream="orders"}')).toBe(1);
  expect(series.get('snowgate_upstream_hedges_won_total{upstream="orders"}')).toBe(1);
  const lost = `code="GW_HEDGE_LOST",endpoint="${slow.endpoint}",status="none",upstream="orders"`;
  expect(series.get(`snowgate_upstream_attempts_total{${lost}}`)).toBe(1);
});

test('a POST is never sent to two endpoints at once', async () => {
  const late: Handler = (_request, response) => void setTimeout(() => response.end('late'), 300);
  const [a, b] = [await startOrigin(late), await startOrigin(late)];
  const { ask } = await startTestGateway(yaml([a.url, b.url], 'hedgeAfter: 50ms'));
  expect((await ask('/', { method: 'POST', body: 'x' })).body).toBe('late');
  expect(a.reached.length + b.reached.length).toBe(1);
});
