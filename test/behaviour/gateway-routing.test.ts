/** Which way a request goes through the whole gateway: splits, weights, paths, and refusals for lack of a way. */
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { RawClient } from '../kit/raw.ts';

test('a split of 90 and 10 is exact, and evenly spread', async () => {
  const [stable, canary] = [await startOrigin(), await startOrigin()];
  const { ask } = await startTestGateway(`
upstreams:
  stable: { targets: { ${stable.url}: 1 } }
  canary: { targets: { ${canary.url}: 1 } }
routes:
  - { path: /**, upstream: { stable: 90, canary: 10 } }
`);
  const answers: string[] = [];
  for (let at = 0; at < 100; at++) answers.push((await ask('/')).body);
  expect(canary.reached).toHaveLength(10);
  expect(stable.reached).toHaveLength(90);
  for (let from = 0; from < 100; from += 10) {
    const ofTen = answers.slice(from, from + 10).filter((body) => body === String(canary.port));
    expect(ofTen).toHaveLength(1);
  }
});

test('weights of 3 and 1 interleave as nginx has it', async () => {
  const [a, b] = [await startOrigin(), await startOrigin()];
  const { ask } = await startTestGateway(`
upstreams:
  orders: { targets: { ${a.url}: 3, ${b.url}: 1 } }
routes:
  - { path: /**, upstream: orders }
`);
  const names = new Map([
    [String(a.port), 'a'],
    [String(b.port), 'b'],
  ]);
  let order = '';
  for (let at = 0; at < 8; at++) order += names.get((await ask('/')).body);
  expect(order).toBe('aabaaaba');
});

test('what finds no route, method, path or end of a loop is told apart', async () => {
  const origin = await startOrigin();
  const { ask, line, port } = await startTestGateway(`
routes:
  - { name: orders, path: /orders/**, methods: [GET, PUT], upstream: ${origin.url} }
`);
  const none = await ask('/other');
  expect([none.status, JSON.parse(none.body).code]).toEqual([404, 'GW_NO_ROUTE']);

  const method = await ask('/orders/7', { method: 'DELETE' });
  expect([method.status, JSON.parse(method.body).code]).toEqual([405, 'GW_METHOD_NOT_ALLOWED']);
  expect(method.headers.allow!.split(', ').sort()).toEqual(['GET', 'HEAD', 'PUT']);

  const path = await new RawClient(port)
    .send('GET /orders/..%2f..%2fetc HTTP/1.1\r\nhost: a\r\n\r\n')
    .answer();
  expect([path.status, JSON.parse(path.body).code]).toEqual([400, 'GW_BAD_PATH']);

  expect(origin.reached).toEqual([]);
  expect(await line((each) => each.code === 'GW_NO_ROUTE')).toMatchObject({ route: '-', status: 404 });
  expect(await line((each) => each.code === 'GW_BAD_PATH')).toMatchObject({ status: 400 });
});

test('a request that comes back to its gateway is answered, not sent round for ever', async () => {
  const loop = await startTestGateway('routes: []');
  await loop.edit(`routes: [{ path: /**, upstream: "http://127.0.0.1:${loop.port}" }]`);
  const answer = await loop.ask('/round');
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'GW_LOOP']);
  expect(loop.access).toHaveLength(2);
});

test('the path that goes upstream can lose its prefix or be another one', async () => {
  const origin = await startOrigin();
  const { ask } = await startTestGateway(`
routes:
  - { path: /shop/**, upstream: ${origin.url}, stripPrefix: /shop }
  - { path: "/users/{id}", upstream: ${origin.url}, rewrite: "/v2/people/{id}/card" }
  - { path: /shopping/**, upstream: ${origin.url} }
`);
  for (const path of ['/shop', '/shop/', '/shop/a/b?x=1', '/users/4%202?full', '/shopping/list'])
    await ask(path);
  expect(origin.reached.map((each) => each.url)).toEqual([
    '/',
    '/',
    '/a/b?x=1',
    '/v2/people/4%202/card?full',
    '/shopping/list',
  ]);
});

test('the Host that goes upstream is the client’s, the endpoint’s or the one of the file', async () => {
  const origin = await startOrigin();
  const { ask } = await startTestGateway(`
upstreams:
  named: { targets: { ${origin.url}: 1 }, hostHeader: api.internal }
routes:
  - { path: /keep, upstream: ${origin.url} }
  - { path: /own, upstream: ${origin.url}, hostHeader: upstream }
  - { path: /name, upstream: ${origin.url}, hostHeader: shop.internal }
  - { path: /upstreams, upstream: named }
`);
  const headers = { host: 'shop.example:8080' };
  for (const path of ['/keep', '/own', '/name', '/upstreams']) await ask(path, { headers });
  expect(origin.reached.map((each) => each.headers.host)).toEqual([
    'shop.example:8080',
    origin.endpoint,
    'shop.internal',
    'api.internal',
  ]);
  expect(origin.reached.map((each) => each.headers['x-forwarded-host'])).toEqual(
    Array(4).fill('shop.example:8080'),
  );
});

test('a body of any method goes through, and its trailers and interim answers come back', async () => {
  const origin = await startOrigin((_request, response, body) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.writeHead(200, { trailer: 'x-sum' });
    response.write(body.toUpperCase());
    response.addTrailers({ 'x-sum': String(body.length) });
    response.end();
  });
  const { ask, port } = await startTestGateway(`routes: [{ path: /**, upstream: ${origin.url} }]`);
  const answer = await ask('/', { method: 'REPORT', body: 'abc' });
  expect(answer).toMatchObject({ status: 200, body: 'ABC', whole: true, trailers: { 'x-sum': '3' } });
  const interim = await new RawClient(port).send('GET / HTTP/1.1\r\nhost: a\r\n\r\n').answer('GET', true);
  expect([interim.status, interim.fields.link]).toEqual([103, '</a.css>; rel=preload']);
});
