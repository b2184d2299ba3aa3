/** A mirror through the whole gateway: what it gets, and that nobody waits for it. */
import { expect, test } from 'vitest';
import { startTestGateway, until } from '../kit/gateway.ts';
import { deadPort, type Handler, startOrigin, startRawOrigin } from '../kit/gateway-origin.ts';

const yaml = (origin: string, mirror: string, more = '') => `
upstreams:
  orders: { targets: ["${origin}"] }
  orders-next: { targets: ["${mirror}"], retry: { attempts: 5, on: [connect, reset, 500] } }
routes:
  - { name: shop, path: /**, upstream: orders, mirror: { upstream: orders-next${more} } }
`;
const counted = (result: string) => `snowgate_mirrored_requests_total{result="${result}",route="shop"}`;

test('the mirror gets the same request, marked, and is asked only once though it fails', async () => {
  const failing: Handler = (_request, response) => void response.writeHead(500).end('broken');
  const [origin, mirror] = [await startOrigin(), await startOrigin(failing)];
  const gateway = await startTestGateway(yaml(origin.url, mirror.url));
  const headers = { 'content-type': 'text/plain', 'x-snowgate-mirror': 'mine', 'x-own': 'kept' };
  const answer = await gateway.ask('/cart?x=1', { method: 'POST', headers, body: 'two eggs' });
  expect([answer.status, answer.body]).toEqual([200, String(origin.port)]);
  await until(() => mirror.reached.length > 0, 'the copy');
  const [original, copy] = [origin.reached[0]!, mirror.reached[0]!];
  expect(copy).toMatchObject({ method: 'POST', url: '/cart?x=1', body: 'two eggs' });
  expect(copy.headers).toMatchObject({ 'x-own': 'kept', 'content-length': '8', 'x-snowgate-mirror': '1' });
  expect(original.headers['x-snowgate-mirror']).toBeUndefined();
  expect(copy.headers['x-trace-id']).toBe(original.headers['x-trace-id']);
  await expect.poll(async () => (await gateway.series()).get(counted('answered'))).toBe(1);
  expect(mirror.reached).toHaveLength(1);
  const attempts = `code="-",endpoint="${mirror.endpoint}",status="5xx",upstream="orders-next"`;
  expect((await gateway.series()).get(`snowgate_upstream_attempts_total{${attempts}}`)).toBe(1);
  expect(await gateway.line(({ path }) => path === '/cart')).toMatchObject({
    attempts: 1,
    upstream: 'orders',
  });
});

test('a mirror that never answers delays nobody, and a dead one hurts nobody', async () => {
  const origin = await startOrigin();
  const silent = await startRawOrigin((socket) => socket.resume());
  const gateway = await startTestGateway(yaml(origin.url, silent.url));
  for (let n = 0; n < 120; n++) expect((await gateway.ask('/')).status).toBe(200);
  // A hundred wait; what came after them was left out.
  expect((await gateway.series()).get(counted('too_many'))).toBe(20);
  await silent.close();
  expect(gateway.access.every(({ durationMs }) => Number(durationMs) < 2000)).toBe(true);

  await gateway.edit(yaml(origin.url, `http://127.0.0.1:${await deadPort()}`));
  for (let n = 0; n < 5; n++) expect((await gateway.ask('/')).status).toBe(200);
  await expect
    .poll(async () => (await gateway.series()).get(counted('failed')) ?? 0)
    .toBeGreaterThanOrEqual(5);
});

test('a body above 64 KiB goes to the original alone', async () => {
  const [origin, mirror] = [
    await startOrigin((_request, response, body) => response.end(String(body.length))),
    await startOrigin(),
  ];
  const gateway = await startTestGateway(yaml(origin.url, mirror.url));
  const answer = await gateway.ask('/', { method: 'PUT', body: 'x'.repeat(200_000) });
  expect(answer.body).toBe('200000');
  expect((await gateway.series()).get(counted('too_large'))).toBe(1);
  await gateway.ask('/small', { method: 'PUT', body: 'x' });
  await until(() => mirror.reached.length > 0, 'the small one');
  expect(mirror.reached.map(({ url }) => url)).toEqual(['/small']);
});

test('at 0% nothing is copied', async () => {
  const [origin, mirror] = [await startOrigin(), await startOrigin()];
  const { ask } = await startTestGateway(yaml(origin.url, mirror.url, ', percent: 0%'));
  for (let n = 0; n < 20; n++) await ask('/');
  expect([origin.reached.length, mirror.reached.length]).toEqual([20, 0]);
});
