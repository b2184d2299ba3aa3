/** An aggregate through the whole gateway: what the parts are asked, and what becomes of their answers. */
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { sendJson, startJsonOrigin } from '../kit/json-origin.ts';

test('parts run side by side, and those that need others after them', async () => {
  const waiting: (() => void)[] = [];
  const users = await startOrigin((_request, response) => {
    waiting.push(() => sendJson(response, { id: 9007199254740993n.toString(), name: 'Ada', secret: 1 }));
  });
  const orders = await startOrigin((request, response) => sendJson(response, [{ url: request.url }]));
  const banners = await startOrigin((_request, response) => {
    // Only once the users service was asked too: the two are under way at the same time.
    const both = setInterval(() => {
      if (waiting.length === 0) return;
      clearInterval(both);
      sendJson(response, { banner: true });
      waiting[0]!();
    }, 5);
  });
  const { ask, line } = await startTestGateway(`
upstreams:
  users: { targets: { ${users.url}: 1 } }
  orders: { targets: { ${orders.url}: 1 } }
routes:
  - path: /home/{id}
    aggregate:
      user: { upstream: users, path: "/users/{params.id}", pick: [id, name] }
      orders: { upstream: orders, path: "/orders?user={parts.user.id}&of={params.id}" }
      banners: { upstream: ${banners.url}, path: /banners, into: / }
`);
  const answer = await ask('/home/7%209');
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/json');
  expect(JSON.parse(answer.body)).toEqual({
    user: { id: '9007199254740993', name: 'Ada' },
    orders: [{ url: '/orders?user=9007199254740993&of=7%209' }],
    banner: true,
  });
  expect(Object.keys(JSON.parse(answer.body))).toEqual(['user', 'orders', 'banner']);
  expect(users.reached[0]!.url).toBe('/users/7%209');
  const logged = await line((each) => each.path === '/home/7%209');
  expect(logged).toMatchObject({ status: 200, code: '-', attempts: 3 });
  expect(logged.parts).toMatch(
    /^user;code=-;dur=[\d.]+, orders;code=-;dur=[\d.]+, banners;code=-;dur=[\d.]+$/,
  );
  expect(logged).not.toHaveProperty('upstream');
  expect(logged).not.toHaveProperty('endpoint');
});

test('numbers, duplicate members, order and spaces of a part come through as they were', async () => {
  const text =
    '{ "big": 12345678901234567890, "exact": 1.10, "e": 1E400,\n "same": 1, "same": 2, "__proto__": {"x": 1}, "u": "\\u00e9\\ud800" }';
  const origin = await startJsonOrigin(text);
  const { ask } = await startTestGateway(`
routes:
  - path: /whole
    aggregate: { a: { upstream: ${origin.url}, path: / } }
  - path: /root
    aggregate: { a: { upstream: ${origin.url}, path: /, into: / } }
  - path: /picked
    aggregate: { a: { upstream: ${origin.url}, path: /, pick: [big, __proto__, same], rename: { big: large } } }
`);
  expect((await ask('/whole')).body).toBe(`{"a":${text}}`);
  expect((await ask('/root')).body).toBe(
    '{"big":12345678901234567890,"exact":1.10,"e":1E400,"same":2,"__proto__":{"x": 1},"u":"\\u00e9\\ud800"}',
  );
  expect((await ask('/picked')).body).toBe(
    '{"a":{"large":12345678901234567890,"same":2,"__proto__":{"x": 1}}}',
  );
  expect(({} as Record<string, unknown>).x).toBeUndefined();
});

test('a name with escapes is the name that it means, wherever members are looked for', async () => {
  const origin = await startJsonOrigin(
    '\ufeff{"\\u0061":"\\u0076\\/x","a\\/b":[{"\\u0069d":7}],"c":-0,"\\ud800":1e999}',
  );
  const { ask, series } = await startTestGateway(`
routes:
  - path: /whole
    aggregate: { one: { upstream: ${origin.url}, path: / } }
  - path: /picked
    aggregate: { one: { upstream: ${origin.url}, path: /, pick: [a], rename: { a: "b" } } }
  - name: root
    path: /root
    aggregate:
      a: { upstream: ${origin.url}, path: "/" }
      one: { upstream: ${origin.url}, path: "/{parts.a.a}", into: /, optional: true }
      two: { upstream: ${origin.url}, path: "/?q={parts.a.a}", at: /a~1b/0/id }
      three: { upstream: ${origin.url}, path: /, into: / }
`);
  // The mark of the byte order is no part of the text (RFC 8259 section 8.1).
  expect((await ask('/whole')).body).toBe(
    '{"one":{"\\u0061":"\\u0076\\/x","a\\/b":[{"\\u0069d":7}],"c":-0,"\\ud800":1e999}}',
  );
  expect((await ask('/picked')).body).toBe('{"one":{"b":"\\u0076\\/x"}}');
  const root = await ask('/root');
  expect(root.headers['snowgate-partial']).toBe('one;code=GW_PART_VALUE');
  expect(root.body).toBe('{"a":"\\u0076\\/x","two":7,"a/b":[{"\\u0069d":7}],"c":-0,"\\ud800":1e999}');
  expect(origin.reached.map(({ url }) => url)).toContain('/?q=v%2Fx');
  expect((await series()).get('snowgate_aggregate_member_conflicts_total{route="root"}')).toBe(1);
});

test('each part is told of the client and the trace, and of nothing that the client said of its own request', async () => {
  const origin = await startJsonOrigin({});
  const { ask } = await startTestGateway(`
trace: { sample: 100% }
routes:
  - path: /a
    hostHeader: internal.example
    aggregate:
      one: { upstream: ${origin.url}, path: /one, headers: { x-locale: "{query.locale}-{header.x-region}" } }
      two: { upstream: ${origin.url}, path: /two, method: POST, body: { n: "{query.n}", note: 'a "{query.n}"', list: [1, null, true] } }
`);
  const answer = await ask('/a?locale=de&n=5', {
    method: 'POST',
    body: '{"mine":1}',
    headers: {
      authorization: 'Bearer abc',
      'accept-encoding': 'gzip, br',
      'content-type': 'text/plain',
      'if-none-match': '"x"',
      range: 'bytes=0-1',
      'x-region': 'AT',
      'x-own': 'kept',
    },
  });
  expect(answer.status).toBe(200);
  expect(origin.reached).toHaveLength(2);
  const [one, two] = [...origin.reached].sort((a, b) => a.url.localeCompare(b.url));
  for (const { headers } of [one!, two!]) {
    expect(headers).toMatchObject({
      host: 'internal.example',
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: 'Bearer abc',
      'x-own': 'kept',
      'x-trace-id': answer.headers['x-trace-id'],
      'x-forwarded-for': '127.0.0.1',
    });
    expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9a-f]$/);
    expect(headers).not.toHaveProperty('if-none-match');
    expect(headers).not.toHaveProperty('range');
  }
  expect(one!.headers['x-locale']).toBe('de-AT');
  expect(one!.headers).not.toHaveProperty('content-type');
  expect(two).toMatchObject({ method: 'POST', body: '{"n":"5","note":"a \\"5\\"","list":[1,null,true]}' });
  expect(two!.headers['content-type']).toBe('application/json');
});

test('a place in the answer can be taken, and lists of maps are picked from', async () => {
  const origin = await startJsonOrigin({
    data: {
      items: [
        { id: 1, a: 2 },
        { id: 2, b: 3 },
      ],
    },
  });
  const { ask } = await startTestGateway(`
routes:
  - path: /a
    aggregate:
      items: { upstream: ${origin.url}, path: /, at: /data/items, drop: [a] }
      second: { upstream: ${origin.url}, path: "/{parts.items.1.id}", at: /data/items/1, into: next one }
`);
  expect((await ask('/a')).body).toBe('{"items":[{"id":1},{"id":2,"b":3}],"next one":{"id":2,"b":3}}');
  expect(origin.reached.map(({ url }) => url)).toEqual(['/', '/2']);
});

test('the answer may be kept no longer, and by nobody else, than each of its parts', async () => {
  const kept = await startJsonOrigin(
    {},
    { 'cache-control': 'public, max-age=60', age: '10', vary: 'Accept' },
  );
  const shared = await startJsonOrigin(
    {},
    { 'cache-control': 'public, max-age=90, s-maxage=30', etag: '"x"' },
  );
  const { ask } = await startTestGateway(`
routes:
  - path: /shared
    aggregate:
      one: { upstream: ${kept.url}, path: / }
      two: { upstream: ${shared.url}, path: / }
  - path: /personal
    aggregate:
      one: { upstream: ${kept.url}, path: "/{client.address}" }
  - path: /varies
    aggregate:
      one: { upstream: ${kept.url}, path: "/{header.x-region}" }
`);
  const { headers } = await ask('/shared');
  expect(headers).toMatchObject({ 'cache-control': 'public, max-age=50, s-maxage=30', vary: 'accept' });
  expect(headers).not.toHaveProperty('etag');
  expect(headers).not.toHaveProperty('age');
  expect((await ask('/personal')).headers['cache-control']).toBe('private, max-age=50');
  expect((await ask('/varies', { headers: { 'x-region': 'a' } })).headers.vary).toBe('x-region, accept');
});

test('cookies of a part pass only where that is asked for', async () => {
  const origin = await startJsonOrigin({}, { 'set-cookie': ['a=1', 'b=2'] });
  const { ask } = await startTestGateway(`
routes:
  - { path: /no, aggregate: { one: { upstream: ${origin.url}, path: / } } }
  - { path: /yes, aggregate: { one: { upstream: ${origin.url}, path: /, setCookie: true } } }
`);
  expect((await ask('/no')).headers).not.toHaveProperty('set-cookie');
  expect((await ask('/yes')).headers['set-cookie']).toEqual(['a=1', 'b=2']);
});

test('times of the parts are for trusted callers', async () => {
  const origin = await startJsonOrigin({});
  const yaml = `
routes:
  - { path: /a, aggregate: { one: { upstream: ${origin.url}, path: / }, two: { upstream: ${origin.url}, path: / } } }
`;
  const stranger = await startTestGateway(yaml);
  expect((await stranger.ask('/a')).headers).not.toHaveProperty('server-timing');
  const trusting = await startTestGateway(`trustedProxies: [127.0.0.1]\n${yaml}`);
  expect((await trusting.ask('/a')).headers['server-timing']).toMatch(
    /^one;dur=[\d.]+, two;dur=[\d.]+, gateway;dur=[\d.]+, upstream;dur=[\d.]+$/,
  );
});

test('where two parts give one member the later wins, which is counted', async () => {
  const [a, b] = [await startJsonOrigin({ x: 1, y: 1 }), await startJsonOrigin({ y: 2, z: 2 })];
  const { ask, series } = await startTestGateway(`
routes:
  - name: home
    path: /a
    aggregate:
      one: { upstream: ${a.url}, path: /, into: / }
      two: { upstream: ${b.url}, path: /, into: / }
`);
  expect((await ask('/a')).body).toBe('{"x":1,"y":2,"z":2}');
  expect((await series()).get('snowgate_aggregate_member_conflicts_total{route="home"}')).toBe(1);
});

test('HEAD is answered with the head alone', async () => {
  const origin = await startJsonOrigin({ a: 1 });
  const { ask } = await startTestGateway(`
routes:
  - { path: /a, methods: [GET], aggregate: { one: { upstream: ${origin.url}, path: / } } }
`);
  const head = await ask('/a', { method: 'HEAD' });
  expect(head).toMatchObject({ status: 200, body: '' });
  expect(head.headers['content-length']).toBe('{"one":{"a":1}}'.length.toString());
  expect(origin.reached[0]!.method).toBe('GET');
});

test('a change of the file is in force for the next request, and a request under way keeps its own', async () => {
  let answer = (): void => undefined;
  const origin = await startOrigin((_request, response) => {
    answer = () => sendJson(response, 1);
  });
  const other = await startJsonOrigin(2);
  const gateway = await startTestGateway(`
routes: [{ path: /a, aggregate: { one: { upstream: ${origin.url}, path: / } } }]
`);
  const before = gateway.ask('/a');
  await expect.poll(() => origin.reached.length).toBe(1);
  await gateway.edit(`routes: [{ path: /a, aggregate: { two: { upstream: ${other.url}, path: / } } }]`);
  expect((await gateway.ask('/a')).body).toBe('{"two":2}');
  answer();
  expect((await before).body).toBe('{"one":1}');
});
