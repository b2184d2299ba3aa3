/** Parts that are asked for each element of a list: what is asked, how much at a time, and what becomes of failures. */
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { type AccessLine, startTestGateway, until } from '../kit/gateway.ts';
import { type Origin, startOrigin } from '../kit/gateway-origin.ts';
import { BEHAVIOURS, sendJson, startJsonOrigin } from '../kit/json-origin.ts';

/** Answers `/products/N` with a product; other behaviour for the numbers that are named. */
const startProducts = (odd: Readonly<Record<string, keyof typeof BEHAVIOURS>> = {}): Promise<Origin> =>
  startOrigin((request, response) => {
    const id = request.url!.split('/').at(-1)!;
    const behaviour = odd[id];
    if (behaviour === undefined) sendJson(response, `{"id":${id},"secret":true}`);
    else BEHAVIOURS[behaviour](request, response);
  });

/** A route of orders with their products. */
const joined = (orders: Origin, products: Origin, more = 'into: each.product') => `
upstreams:
  products: { targets: { ${products.url}: 1 }, breaker: off, outlier: off, retry: { attempts: 1 } }
routes:
  - name: home
    path: /a
    aggregate:
      orders: { upstream: ${orders.url}, path: /orders, pick: [id, big] }
      products: { upstream: products, each: parts.orders, path: "/products/{each.productId}", pick: [id], ${more} }
`;

const ordersOf = (...products: number[]) =>
  JSON.stringify(products.map((productId, id) => ({ id, productId })));

const partsOf = (line: AccessLine) => String(line.parts).replaceAll(/;dur=[\d.]+/g, '');

test('each element gets its answer, and those that would ask the same share one call', async () => {
  const orders = await startJsonOrigin(
    '[{"id":1,"productId":7,"big":12345678901234567890}, {"productId":8, "id": 2},\n{"id":1.10,"productId":7,"id":3}]',
  );
  const products = await startProducts();
  const { ask, line, series } = await startTestGateway(joined(orders, products));
  const answer = await ask('/a');
  expect([answer.status, answer.body]).toEqual([
    200,
    '{"orders":[{"id":1,"big":12345678901234567890,"product":{"id":7}},{"id":2,"product":{"id":8}},{"id":3,"product":{"id":7}}]}',
  ]);
  expect(answer.headers).not.toHaveProperty('snowgate-partial');
  expect(products.reached.map(({ url }) => url).sort()).toEqual(['/products/7', '/products/8']);
  const logged = await line((each) => each.path === '/a');
  expect([partsOf(logged), logged.attempts, logged.code]).toEqual([
    'orders;code=-, products;code=-;calls=2',
    3,
    '-',
  ]);
  // One outcome of the part; its calls are its upstream's.
  const counted = await series();
  expect(counted.get('snowgate_aggregate_parts_total{code="-",part="products",route="home"}')).toBe(1);
  const attempts = [...counted].filter(([key]) => /upstream_attempts_total.*upstream="products"/.test(key));
  expect(attempts.reduce((sum, [, count]) => sum + count, 0)).toBe(2);
});

test('without a place in the elements the answers are a list, and other parts can go on from there', async () => {
  const user = await startJsonOrigin({ friends: { ids: ['b', 'a', 'b'] } });
  const friends = await startOrigin((request, response) =>
    sendJson(response, { name: request.url!.slice(3), city: `of ${request.url!.slice(3)}`, age: 1 }),
  );
  const cities = await startOrigin((request, response) => sendJson(response, JSON.stringify(request.url)));
  const { ask } = await startTestGateway(`
routes:
  - path: /a
    aggregate:
      cities: { upstream: ${cities.url}, each: parts.friends, path: "/c?q={each.city}", into: each.city }
      user: { upstream: ${user.url}, path: / }
      friends: { upstream: ${friends.url}, each: parts.user.friends.ids, path: "/f/{each}", pick: [name] }
`);
  expect(JSON.parse((await ask('/a')).body)).toEqual({
    user: { friends: { ids: ['b', 'a', 'b'] } },
    friends: [
      { name: 'b', city: '/c?q=of%20b' },
      { name: 'a', city: '/c?q=of%20a' },
      { name: 'b', city: '/c?q=of%20b' },
    ],
  });
  expect([friends.reached.length, cities.reached.length]).toEqual([2, 2]);
});

test('elements take in what has taken in others itself, in lists that have other names by then', async () => {
  const cart = await startJsonOrigin('{"id":5,"items":[{"p":1, "n":1.50},{"p":2}],"secret":1}');
  const products = await startOrigin((request, response) =>
    sendJson(response, { at: request.url, maker: `m${request.url!.slice(3)}` }),
  );
  const makers = await startOrigin((request, response) => sendJson(response, { maker: request.url }));
  const { ask } = await startTestGateway(`
routes:
  - path: /a
    aggregate:
      cart: { upstream: ${cart.url}, path: /, into: /, drop: [secret], rename: { items: lines } }
      products: { upstream: ${products.url}, each: parts.cart.items, path: "/p/{each.p}", into: each.product, drop: [at] }
      makers: { upstream: ${makers.url}, each: parts.products, path: "/m/{each.maker}", into: each.by }
`);
  expect((await ask('/a')).body).toBe(
    '{"id":5,"lines":[{"p":1, "n":1.50,"product":{"maker":"m1","by":{"maker":"/m/m1"}}},' +
      '{"p":2,"product":{"maker":"m2","by":{"maker":"/m/m2"}}}]}',
  );
});

test('calls that differ in a header or in their body are several', async () => {
  const list = await startJsonOrigin(
    '[{"id":1,"n":1e3},{"id":1,"n":1000},{"id":1,"n":1e3},{"id":2,"n":1e3}]',
  );
  const other = await startOrigin((request, response, body) =>
    sendJson(response, { id: request.headers['x-id'], body: JSON.parse(body) }),
  );
  const { ask } = await startTestGateway(`
routes:
  - path: /a
    aggregate:
      list: { upstream: ${list.url}, path: /, into: / , at: /0 }
      all: { upstream: ${list.url}, path: / }
      other: { upstream: ${other.url}, each: parts.all, method: POST, path: /, headers: { x-id: "{each.id}" }, body: { n: "{each.n}" } }
`);
  const answer = await ask('/a');
  expect(JSON.parse(answer.body).other).toEqual([
    { id: '1', body: { n: 1000 } },
    { id: '1', body: { n: 1000 } },
    { id: '1', body: { n: 1000 } },
    { id: '2', body: { n: 1000 } },
  ]);
  // 1e3 and 1000 are the same number, and not the same call: nothing of a value is read as another.
  expect(other.reached.map(({ body, headers }) => `${headers['x-id']} ${body}`).sort()).toEqual([
    '1 {"n":1000}',
    '1 {"n":1e3}',
    '2 {"n":1e3}',
  ]);
});

test('no more calls than said are under way at a time', async () => {
  const waiting: ServerResponse[] = [];
  let most = 0;
  const slow = await startOrigin((_request, response) => {
    waiting.push(response);
    most = Math.max(most, waiting.length);
  });
  const orders = await startJsonOrigin(ordersOf(...Array.from({ length: 20 }, (_, at) => at)));
  const { ask } = await startTestGateway(
    joined(orders, slow).replace('parts.orders,', '{ of: parts.orders, concurrency: 3 },'),
  );
  const answer = ask('/a');
  for (let answered = 0; answered < 20; answered++) {
    const due = Math.min(3, 20 - answered);
    await until(() => waiting.length === due, `${due} calls to be under way`);
    sendJson(waiting.shift()!, { id: answered });
  }
  expect(JSON.parse((await answer).body).orders).toHaveLength(20);
  expect([most, slow.reached.length]).toEqual([3, 20]);
});

test('an empty list asks nothing and gives an empty list', async () => {
  const orders = await startJsonOrigin('[]', { 'cache-control': 'max-age=60' });
  const products = await startProducts();
  const { ask, line } = await startTestGateway(joined(orders, products, 'into: products'));
  const answer = await ask('/a');
  expect([answer.status, answer.body]).toEqual([200, '{"orders":[],"products":[]}']);
  // Nobody else had a say.
  expect(answer.headers['cache-control']).toBe('max-age=60');
  expect(products.reached).toEqual([]);
  expect(partsOf(await line((each) => each.path === '/a'))).toBe('orders;code=-, products;code=-;calls=0');
});

test('what is no list, or has elements that cannot take a member, is a failure that says so', async () => {
  const origin = await startOrigin((request, response) =>
    sendJson(
      response,
      { '/map': '{"a":{}}', '/values': '[{"id":1},5]', '/null': '[null]' }[request.url!] ?? '{}',
    ),
  );
  const route = (path: string, more: string) => `
  - path: ${path}
    aggregate:
      list: { upstream: ${origin.url}, path: ${path} }
      it: { upstream: ${origin.url}, ${more}, path: "/x/{each.id}" }`;
  const { ask } = await startTestGateway(`
trustedProxies: [127.0.0.1]
routes:
${route('/map', 'each: parts.list')}
${route('/map/none', 'each: parts.list.b').replaceAll('path: /map/none }', 'path: /map }')}
${route('/values', 'each: parts.list, into: each.it')}
${route('/null', 'each: parts.list')}
${route('/map/optional', 'each: parts.list.a, optional: true, default: 1').replaceAll('path: /map/optional }', 'path: /map }')}
${route('/values/optional', 'each: parts.list, into: each.it, optional: true, default: 1').replaceAll('path: /values/optional }', 'path: /values }')}
`);
  const told = async (path: string) => {
    const { status, body, headers } = await ask(path);
    const { code, part } = JSON.parse(body);
    return [status, code, part, /details="([^"]*)"/.exec(String(headers['proxy-status']))?.[1]];
  };
  expect(await told('/map')).toEqual([502, 'GW_PART_VALUE', 'it', 'part it: parts.list is no list']);
  expect(await told('/map/none')).toEqual([502, 'GW_PART_VALUE', 'it', 'part it: parts.list.b is no list']);
  expect((await told('/values'))[3]).toBe('part it: element 1: is no map, so it can take no member');
  expect((await told('/null'))[3]).toBe('part it: element 0: each.id is missing');
  expect(origin.reached.filter(({ url }) => url.startsWith('/x/'))).toEqual([]);

  const none = await ask('/map/optional');
  expect([none.status, none.headers['snowgate-partial']]).toEqual([200, 'it;code=GW_PART_VALUE']);
  expect(none.body).toBe('{"list":{"a":{}},"it":[]}');
  const some = await ask('/values/optional');
  expect([some.status, some.headers['snowgate-partial']]).toEqual([200, 'it;code=GW_PART_VALUE;missing=1']);
  expect(some.body).toBe('{"list":[{"id":1,"it":{}},5]}');
});

test('a list that is too long fails a required part before anything is asked, and is cut for an optional one', async () => {
  const orders = await startJsonOrigin(ordersOf(1, 2, 1, 3));
  const products = await startProducts();
  const cap = (yaml: string) => yaml.replace('parts.orders,', '{ of: parts.orders, most: 2 },');
  const required = await startTestGateway(cap(joined(orders, products)));
  const failed = await required.ask('/a');
  expect([failed.status, JSON.parse(failed.body)]).toMatchObject([
    502,
    { code: 'GW_PART_TOO_MANY', part: 'products' },
  ]);
  expect(products.reached).toEqual([]);
  for (const [into, body] of [
    [
      'each.product',
      '{"orders":[{"id":0,"product":{"id":1}},{"id":1,"product":{"id":2}},{"id":2},{"id":3}]}',
    ],
    ['products', '{"orders":[{"id":0},{"id":1},{"id":2},{"id":3}],"products":[{"id":1},{"id":2}]}'],
  ]) {
    const optional = await startTestGateway(cap(joined(orders, products, `into: ${into}, optional: true`)));
    const partial = await optional.ask('/a');
    expect([partial.status, partial.headers['snowgate-partial'], partial.body]).toEqual([
      200,
      'products;code=GW_PART_TOO_MANY;missing=2',
      body,
    ]);
  }
  expect(products.reached).toHaveLength(4);
});

test('one element that fails takes a required part down, and its default takes its place in an optional one', async () => {
  const orders = await startJsonOrigin(ordersOf(1, 404, 2, 500, 404), { 'cache-control': 'max-age=60' });
  const products = await startProducts({ 404: 'not found', 500: 'server error' });
  const required = await startTestGateway(joined(orders, products));
  const failed = await required.ask('/a');
  expect([failed.status, JSON.parse(failed.body)]).toMatchObject([
    502,
    { code: 'GW_PART_STATUS', part: 'products' },
  ]);
  const optional = await startTestGateway(
    joined(orders, products, 'into: each.product, optional: true, default: { id: none }'),
  );
  const partial = await optional.ask('/a');
  expect([partial.status, partial.headers['snowgate-partial'], partial.headers['cache-control']]).toEqual([
    200,
    'products;code=GW_PART_STATUS;missing=3',
    'no-store',
  ]);
  expect(
    JSON.parse(partial.body).orders.map((order: { product: { id: unknown } }) => order.product.id),
  ).toEqual([1, 'none', 2, 'none', 'none']);
  const logged = await optional.line((each) => each.path === '/a');
  expect([logged.code, partsOf(logged)]).toEqual([
    'GW_PARTIAL',
    'orders;code=-, products;code=GW_PART_STATUS;calls=4;missing=3',
  ]);
});

test('when a required part fails its other calls are given up, and Retry-After is that of the one that failed', async () => {
  const orders = await startJsonOrigin(ordersOf(1, 2));
  let given = false;
  const products = await startOrigin((request, response) => {
    if (request.url === '/products/1') {
      response.on('close', () => {
        given = true;
      });
      return;
    }
    const asked = setInterval(() => {
      if (products.reached.length < 2) return;
      clearInterval(asked);
      BEHAVIOURS.overloaded(request, response);
    }, 2);
  });
  const { ask } = await startTestGateway(joined(orders, products));
  const answer = await ask('/a');
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '7']);
  await until(() => given, 'the silent call to be let go');
});

test('the time of the part is over all its calls: what came in time stays', async () => {
  const orders = await startJsonOrigin(ordersOf(1, 2, 3, 4));
  const products = await startProducts({ 2: 'silent', 3: 'silent in the middle' });
  const { ask } = await startTestGateway(
    joined(orders, products, 'into: each.product, optional: true, timeout: 1s').replace(
      'parts.orders,',
      '{ of: parts.orders, concurrency: 2 },',
    ),
  );
  const started = performance.now();
  const answer = await ask('/a');
  expect(performance.now() - started).toBeLessThan(3000);
  expect(answer.headers['snowgate-partial']).toBe('products;code=GW_UPSTREAM_TIMEOUT;missing=3');
  // The fourth never had its turn.
  expect(answer.body).toBe(
    '{"orders":[{"id":0,"product":{"id":1}},{"id":1,"product":null},{"id":2,"product":null},{"id":3,"product":null}]}',
  );
  expect(products.reached).toHaveLength(3);
  const required = await startTestGateway(joined(orders, products, 'into: each.product, timeout: 100ms'));
  const failed = await required.ask('/a');
  expect([failed.status, JSON.parse(failed.body).code]).toEqual([504, 'GW_UPSTREAM_TIMEOUT']);
});

test('a client that leaves ends every call, and no other is begun', async () => {
  const orders = await startJsonOrigin(ordersOf(1, 2, 3, 4, 5));
  const products = await startOrigin(BEHAVIOURS.silent);
  const gateway = await startTestGateway(
    joined(orders, products).replace('parts.orders,', '{ of: parts.orders, concurrency: 2 },'),
  );
  const controller = new AbortController();
  const left = fetch(`http://127.0.0.1:${gateway.port}/a`, { signal: controller.signal }).catch(() => 'left');
  await until(() => products.reached.length === 2, 'two calls to be under way');
  controller.abort();
  expect(await left).toBe('left');
  await until(() => products.sockets.size === 0, 'both to be let go');
  expect(partsOf(await gateway.line((each) => each.path === '/a'))).toBe(
    'orders;code=-, products;code=GW_CLIENT_LEFT;calls=2',
  );
  expect(products.reached).toHaveLength(2);
});

test('the limit holds for all answers together, and for what goes into the whole', async () => {
  const orders = await startJsonOrigin(ordersOf(1, 1, 1, 2, 3));
  const products = await startOrigin((request, response) =>
    sendJson(response, {
      id: request.url!.slice(-1),
      text: 'x'.repeat(request.url!.endsWith('3') ? 2000 : 300),
    }),
  );
  const answer = async (pick: string) => {
    const { ask } = await startTestGateway(
      joined(orders, products, 'into: products, optional: true, limit: 1KiB')
        .replace('pick: [id],', pick)
        .replace('parts.orders,', '{ of: parts.orders, concurrency: 1 },'),
    );
    const { headers, body } = await ask('/a');
    return [
      headers['snowgate-partial'],
      JSON.parse(body).products.map((one: { id: string } | null) => one?.id),
    ];
  };
  // Three times the first is 960 of 1024 bytes, so the second has no room; picked from, only the third is too large.
  expect(await answer('')).toEqual([
    'products;code=GW_PART_TOO_LARGE;missing=2',
    ['1', '1', '1', undefined, undefined],
  ]);
  expect(await answer('pick: [id],')).toEqual([
    'products;code=GW_PART_TOO_LARGE;missing=1',
    ['1', '1', '1', '2', undefined],
  ]);
});

test('an answer that is too large takes nothing from the room of the others', async () => {
  const orders = await startJsonOrigin(ordersOf(9, 1, 2));
  const products = await startProducts({ 9: 'too large, unannounced' });
  const { ask } = await startTestGateway(
    joined(orders, products, 'into: products, optional: true, limit: 1KiB').replace(
      'parts.orders,',
      '{ of: parts.orders, concurrency: 1 },',
    ),
  );
  const { headers, body } = await ask('/a');
  expect(headers['snowgate-partial']).toBe('products;code=GW_PART_TOO_LARGE;missing=1');
  expect(JSON.parse(body).products).toEqual([null, { id: 1 }, { id: 2 }]);
});

test('a list that another one has taken the name of can take no members', async () => {
  const cart = await startJsonOrigin({ items: [{ p: 1 }], old: [{}, {}] });
  const products = await startProducts();
  const { ask } = await startTestGateway(`
trustedProxies: [127.0.0.1]
routes:
  - path: /a
    aggregate:
      cart: { upstream: "${cart.url}", path: /, rename: { old: items } }
      products: { upstream: "${products.url}", each: parts.cart.items, path: "/products/{each.p}", into: each.product }
`);
  const answer = await ask('/a');
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'GW_PART_VALUE']);
  expect(answer.headers['proxy-status']).toContain('parts.cart.items is not in the answer');
  expect(products.reached).toEqual([]);
});

test('a member that an element has already is replaced and counted', async () => {
  const orders = await startJsonOrigin(
    '[{"id":1,"productId":7,"product":"p7","x":1},{"id":2,"productId":7}]',
  );
  const { ask, series } = await startTestGateway(
    joined(orders, await startProducts()).replace('pick: [id, big]', 'drop: [x]'),
  );
  expect((await ask('/a')).body).toBe(
    '{"orders":[{"id":1,"productId":7,"product":{"id":7}},{"id":2,"productId":7,"product":{"id":7}}]}',
  );
  expect((await series()).get('snowgate_aggregate_member_conflicts_total{route="home"}')).toBe(1);
});

test('the answer may be kept no longer than any of its calls, and cookies pass from all of them where asked for', async () => {
  const orders = await startJsonOrigin(ordersOf(30, 20), { 'cache-control': 'max-age=60' });
  const products = await startOrigin((request, response) => {
    const seconds = request.url!.split('/').at(-1)!;
    sendJson(response, { id: 1 }, { 'cache-control': `max-age=${seconds}`, 'set-cookie': `a=${seconds}` });
  });
  const { ask } = await startTestGateway(joined(orders, products, 'setCookie: true'));
  const { headers } = await ask('/a');
  expect(headers['cache-control']).toBe('max-age=20');
  expect(headers['set-cookie']).toEqual(['a=30', 'a=20']);
});

test('a default stands in for the list, too', async () => {
  const bad = await startOrigin(BEHAVIOURS['server error']);
  const products = await startProducts();
  const { ask } = await startTestGateway(
    joined(bad, products).replace('pick: [id, big]', 'optional: true, default: [{ productId: 3 }]'),
  );
  const answer = await ask('/a');
  expect(answer.headers['snowgate-partial']).toBe('orders;code=GW_PART_STATUS');
  expect(answer.body).toBe('{"orders":[{"productId":3,"product":{"id":3}}]}');

  const deep = await startTestGateway(
    joined(bad, products)
      .replace(
        'pick: [id, big]',
        'rename: { items: lines }, optional: true, default: { items: [{ productId: 3 }] }',
      )
      .replace('parts.orders', 'parts.orders.items'),
  );
  // A default is not renamed.
  expect((await deep.ask('/a')).body).toBe('{"orders":{"items":[{"productId":3,"product":{"id":3}}]}}');
});
