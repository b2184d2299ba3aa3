/** Each way in which a part of an aggregate can fail, made to happen: what the client, the log and the metrics are told. */
import { expect, onTestFinished, test } from 'vitest';
import { type GatewayCode, KINDS } from '../../src/kernel/errors.ts';
import { type AccessLine, startTestGateway, until } from '../kit/gateway.ts';
import { deadPort, startOrigin } from '../kit/gateway-origin.ts';
import { BEHAVIOURS, type Behaviour, sendJson, startJsonOrigin } from '../kit/json-origin.ts';
import { createBlackHole } from '../kit/origin.ts';

/** What docs/aggregate.md promises. */
const CODES: Readonly<Record<Exclude<Behaviour, 'good'>, GatewayCode>> = {
  'not found': 'GW_PART_STATUS',
  'server error': 'GW_PART_STATUS',
  overloaded: 'GW_PART_UNAVAILABLE',
  moved: 'GW_PART_STATUS',
  empty: 'GW_PART_TYPE',
  'empty, said to be JSON': 'GW_PART_TYPE',
  html: 'GW_PART_TYPE',
  untyped: 'GW_PART_TYPE',
  compressed: 'GW_PART_TYPE',
  broken: 'GW_PART_INVALID',
  'not UTF-8': 'GW_PART_INVALID',
  'too large': 'GW_PART_TOO_LARGE',
  'too large, unannounced': 'GW_PART_TOO_LARGE',
  cut: 'GW_UPSTREAM_CUT',
  reset: 'GW_UPSTREAM_RESET',
  silent: 'GW_UPSTREAM_TIMEOUT',
  'silent in the middle': 'GW_UPSTREAM_TIMEOUT',
};

/** @param timeout long enough that only what never answers runs into it, however busy the machine is */
const aggregate = (url: string, good: string, { optional = false, timeout = '10s' }) => `
  - name: ${optional ? 'optional' : 'required'}
    path: /${optional ? 'optional' : 'required'}
    aggregate:
      good: { upstream: ${good}, path: / }
      bad: { upstream: ${url}, path: /, limit: 1KiB, timeout: ${timeout}${optional ? ', optional: true, default: [none]' : ''} }
`;

const partsOf = (line: AccessLine) => String(line.parts).replaceAll(/;dur=[\d.]+/g, '');

for (const [behaviour, code] of Object.entries(CODES) as [Exclude<Behaviour, 'good'>, GatewayCode][]) {
  test(`a part that is ${behaviour} fails the whole, or is told to be missing`, async () => {
    const good = await startJsonOrigin({ is: 'good' });
    const bad = await startOrigin(BEHAVIOURS[behaviour]);
    const timeout = behaviour.startsWith('silent') ? '150ms' : '10s';
    const { ask, line, series } = await startTestGateway(
      `routes:${[false, true].map((optional) => aggregate(bad.url, good.url, { optional, timeout })).join('')}`,
    );
    const failed = await ask('/required');
    expect(failed.status).toBe(KINDS[code].status);
    expect(failed.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(failed.body)).toMatchObject({ code, part: 'bad', status: failed.status });
    expect(failed.headers).not.toHaveProperty('snowgate-partial');
    if (failed.status === 503) expect(failed.headers['retry-after']).toBe('7');
    const failedLine = await line((each) => each.route === 'required');
    expect(failedLine.code).toBe(code);

    const partial = await ask('/optional');
    expect([partial.status, partial.body]).toEqual([200, '{"good":{"is":"good"},"bad":["none"]}']);
    expect(partial.headers['snowgate-partial']).toBe(`bad;code=${code}`);
    expect(partial.headers['cache-control']).toBe('no-store');
    const partialLine = await line((each) => each.route === 'optional');
    expect([partialLine.code, partsOf(partialLine)]).toEqual(['GW_PARTIAL', `good;code=-, bad;code=${code}`]);

    const counted = await series();
    for (const route of ['required', 'optional'])
      expect(
        counted.get(`snowgate_aggregate_parts_total{code="${code}",part="bad",route="${route}"}`),
        route,
      ).toBe(1);
    expect(
      counted.get('snowgate_requests_total{code="GW_PARTIAL",method="GET",route="optional",status="200"}'),
    ).toBe(1);
  });
}

test('a part whose service is dead', async () => {
  const good = await startJsonOrigin({ is: 'good' });
  const url = `http://127.0.0.1:${await deadPort()}`;
  const { ask } = await startTestGateway(
    `routes:${[false, true].map((optional) => aggregate(url, good.url, { optional })).join('')}`,
  );
  const failed = await ask('/required');
  expect([failed.status, JSON.parse(failed.body).code]).toEqual([502, 'GW_CONNECT_REFUSED']);
  expect((await ask('/optional')).headers['snowgate-partial']).toMatch(/^bad;code=GW_[A-Z_]+$/);
});

test('a part whose upstream cannot be reached, has nobody or no room, or falls silent, says which', async () => {
  const silent = await startOrigin(BEHAVIOURS.silent);
  const half = await startOrigin(BEHAVIOURS['silent in the middle']);
  const deaf = await createBlackHole();
  onTestFinished(() => deaf.close());
  const upstreams = {
    nowhere: 'targets: ["http://nowhere.invalid"]',
    deaf: `targets: ["http://127.0.0.1:${deaf.spec.port}"], timeouts: { connect: 100ms }`,
    nobody: 'discover: local/nobody',
    full: `targets: ["${silent.url}"], concurrency: { endpoint: 1, queue: 0 }`,
    half: `targets: ["${half.url}"], timeouts: { idle: 100ms }`,
  };
  const { ask, line } = await startTestGateway(
    `
registries:
  local: { type: file, path: services.yaml }
upstreams:
${Object.entries(upstreams)
  .map(([name, keys]) => `  ${name}: { ${keys}, retry: { attempts: 1 } }`)
  .join('\n')}
routes:
  - path: /a
    timeout: 20s
    aggregate:
      holding: { upstream: full, path: /, optional: true, timeout: 1s }
${Object.keys(upstreams)
  .map((name) => `      ${name}: { upstream: ${name}, path: /, optional: true }`)
  .join('\n')}
`,
    { 'services.yaml': 'somebody: [127.0.0.1:9]' },
  );
  await ask('/a');
  expect(partsOf(await line((each) => each.path === '/a')).split(', ')).toEqual([
    'holding;code=GW_UPSTREAM_TIMEOUT',
    'nowhere;code=GW_DNS',
    'deaf;code=GW_CONNECT_TIMEOUT',
    'nobody;code=GW_NO_ENDPOINT',
    'full;code=GW_QUEUE_FULL',
    'half;code=GW_UPSTREAM_IDLE',
  ]);
});

test('a part behind an open breaker is not asked', async () => {
  const bad = await startOrigin(BEHAVIOURS['server error']);
  const { ask } = await startTestGateway(`
upstreams:
  bad: { targets: { ${bad.url}: 1 }, breaker: { minimum: 2, openFor: 1m, on: [5xx] }, retry: { attempts: 1 } }
routes:
  - { path: /a, aggregate: { bad: { upstream: bad, path: /, optional: true } } }
`);
  const codes: unknown[] = [];
  while (codes.at(-1) !== 'bad;code=GW_BREAKER_OPEN' && codes.length < 20)
    codes.push((await ask('/a')).headers['snowgate-partial']);
  expect(codes[0]).toBe('bad;code=GW_PART_STATUS');
  expect(codes.at(-1)).toBe('bad;code=GW_BREAKER_OPEN');
  expect(bad.reached).toHaveLength(codes.length - 1);
});

test.each(['silent', 'silent in the middle'] as const)(
  'a part that is always %s opens the breaker of its upstream',
  async (behaviour) => {
    const bad = await startOrigin(BEHAVIOURS[behaviour]);
    const { ask } = await startTestGateway(`
upstreams:
  bad: { targets: { ${bad.url}: 1 }, breaker: { minimum: 2, openFor: 1m }, retry: { attempts: 1 } }
routes:
  - { path: /a, aggregate: { bad: { upstream: bad, path: /, optional: true, timeout: 60ms } } }
`);
    const codes: unknown[] = [];
    while (codes.at(-1) !== 'bad;code=GW_BREAKER_OPEN' && codes.length < 10)
      codes.push((await ask('/a')).headers['snowgate-partial']);
    expect(codes[0]).toBe('bad;code=GW_UPSTREAM_TIMEOUT');
    expect(codes.at(-1)).toBe('bad;code=GW_BREAKER_OPEN');
  },
);

test('a required part that fails gives the others up at once', async () => {
  const slow = await startOrigin(BEHAVIOURS.silent);
  const later = await startJsonOrigin({});
  const bad = await startOrigin((_request, response) => {
    // Not before the slow one is under way.
    const asked = setInterval(() => {
      if (slow.reached.length === 0) return;
      clearInterval(asked);
      sendJson(response, {}, {}, 500);
    }, 2);
  });
  const { ask, line, series } = await startTestGateway(`
routes:
  - name: home
    path: /a
    aggregate:
      slow: { upstream: ${slow.url}, path: / }
      bad: { upstream: ${bad.url}, path: / }
      later: { upstream: ${later.url}, path: "/{parts.slow.id}" }
`);
  const started = performance.now();
  const answer = await ask('/a');
  expect(performance.now() - started).toBeLessThan(5000);
  expect([answer.status, JSON.parse(answer.body).part]).toEqual([502, 'bad']);
  await until(() => slow.sockets.size === 0, 'the connection of the slow part to be closed');
  expect(later.reached).toEqual([]);
  expect(partsOf(await line((each) => each.route === 'home'))).toBe(
    'slow;code=GW_PART_DROPPED, bad;code=GW_PART_STATUS, later;code=GW_PART_DROPPED',
  );
  // Given up is not failed.
  expect([...(await series()).keys()].filter((key) => /parts_total.*part="slow"/.test(key))).toEqual([]);
});

test('a client that leaves ends every part', async () => {
  const slow = await startOrigin(BEHAVIOURS.silent);
  const half = await startOrigin(BEHAVIOURS['silent in the middle']);
  const gateway = await startTestGateway(`
routes:
  - { path: /a, aggregate: { one: { upstream: ${slow.url}, path: / }, two: { upstream: ${half.url}, path: / } } }
`);
  const controller = new AbortController();
  const left = fetch(`http://127.0.0.1:${gateway.port}/a`, { signal: controller.signal }).catch(() => 'left');
  await until(() => slow.reached.length === 1 && half.reached.length === 1, 'both to be asked');
  controller.abort();
  expect(await left).toBe('left');
  await until(() => slow.sockets.size === 0 && half.sockets.size === 0, 'both to be let go');
  const logged = await gateway.line((each) => each.path === '/a');
  expect([logged.status, logged.code, logged.closing]).toEqual([499, 'GW_CLIENT_LEFT', 'left']);
  expect(partsOf(logged)).toBe('one;code=GW_CLIENT_LEFT, two;code=GW_CLIENT_LEFT');
});

test('a client that leaves while the answer of a part flows to it ends that call', async () => {
  const flowing = await startOrigin((_request, response) => {
    response.writeHead(404, { 'content-type': 'text/plain' });
    response.write('there is ');
  });
  const gateway = await startTestGateway(`
routes:
  - { path: /a, aggregate: { one: { upstream: ${flowing.url}, path: /, passStatus: [404] } } }
`);
  const controller = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/a`, { signal: controller.signal });
  expect([answer.status, flowing.sockets.size]).toEqual([404, 1]);
  controller.abort();
  await until(() => flowing.sockets.size === 0, 'the call to be let go');
  const logged = await gateway.line((each) => each.path === '/a');
  expect([logged.code, logged.closing]).toEqual(['GW_CLIENT_LEFT', 'left']);
});

test('when the time of the route is over, optional parts are missing and required ones fail the whole', async () => {
  const good = await startJsonOrigin({});
  const slow = await startOrigin(BEHAVIOURS.silent);
  const half = await startOrigin(BEHAVIOURS['silent in the middle']);
  const { ask } = await startTestGateway(`
routes:
  - path: /optional
    timeout: 1500ms
    aggregate:
      good: { upstream: ${good.url}, path: / }
      slow: { upstream: ${slow.url}, path: /, optional: true, timeout: 10s }
      half: { upstream: ${half.url}, path: /, optional: true }
      after: { upstream: ${good.url}, path: "/{parts.slow.id}", optional: true }
  - path: /required
    timeout: 1500ms
    aggregate: { good: { upstream: ${good.url}, path: / }, half: { upstream: ${half.url}, path: / } }
`);
  const partial = await ask('/optional');
  expect(partial.headers['snowgate-partial']).toBe(
    'slow;code=GW_TIMEOUT, half;code=GW_TIMEOUT, after;code=GW_TIMEOUT',
  );
  expect(partial.body).toBe('{"good":{},"slow":null,"half":null,"after":null}');
  const failed = await ask('/required');
  expect([failed.status, JSON.parse(failed.body)]).toMatchObject([504, { code: 'GW_TIMEOUT', part: 'half' }]);
});

test('a value that is missing or unfit fails its part, and nothing is asked with it', async () => {
  const user = await startJsonOrigin({ id: null, list: [], deep: { a: 1 }, dots: '..', slash: 'a/b' });
  const other = await startJsonOrigin({ is: 'here' });
  const route = (path: string, template: string, more = '') => `
  - path: ${path}
    aggregate:
      user: { upstream: ${user.url}, path: / }
      it: { upstream: ${other.url}, path: "${template}"${more} }`;
  const { ask } = await startTestGateway(`
routes:
${route('/null', '/{parts.user.id}')}
${route('/none', '/x?y={parts.user.nothing}')}
${route('/empty', '/x?y={parts.user.list}')}
${route('/map', '/x?y={parts.user.deep}')}
${route('/dots', '/a/{parts.user.dots}')}
${route('/slash', '/{parts.user.slash}')}
${route('/claim', '/{claims.sub}')}
${route('/query', '/x', ', headers: { x-y: "{query.y}" }')}
${route('/optional', '/x?y={query.y}', ', optional: true, default: none')}
`);
  const failed = async (path: string) => {
    const answer = await ask(path);
    return [answer.status, JSON.parse(answer.body).code, JSON.parse(answer.body).part];
  };
  for (const path of ['/null', '/none', '/empty', '/map', '/dots', '/slash'])
    expect(await failed(path), path).toEqual([502, 'GW_PART_VALUE', 'it']);
  for (const path of ['/claim', '/query?y=a%0d%0ab', '/query'])
    expect(await failed(path), path).toEqual([400, 'GW_PART_INPUT', 'it']);
  const partial = await ask('/optional');
  expect([partial.status, partial.headers['snowgate-partial']]).toEqual([200, 'it;code=GW_PART_INPUT']);
  expect(other.reached).toEqual([]);
});

test('defaults stand in for what failed, for references too', async () => {
  const bad = await startOrigin(BEHAVIOURS['server error']);
  const other = await startOrigin((request, response) => sendJson(response, { url: request.url }));
  const { ask } = await startTestGateway(`
routes:
  - path: /a
    partialStatus: 203
    aggregate:
      user: { upstream: ${bad.url}, path: /, optional: true, default: { id: guest }, pick: [name] }
      orders: { upstream: ${other.url}, path: "/orders/{parts.user.id}" }
      gone: { upstream: ${bad.url}, path: /, optional: true, into: / }
`);
  const answer = await ask('/a');
  expect([answer.status, answer.headers['snowgate-partial']]).toEqual([
    203,
    'user;code=GW_PART_STATUS, gone;code=GW_PART_STATUS',
  ]);
  expect(answer.body).toBe('{"user":{"id":"guest"},"orders":{"url":"/orders/guest"}}');
});

test('a status in passStatus is answered as the part answered it', async () => {
  const slow = await startOrigin(BEHAVIOURS.silent);
  const part = await startOrigin((_request, response) =>
    response
      .writeHead(404, {
        'content-type': 'text/plain',
        'set-cookie': 'a=1',
        etag: '"x"',
        'cache-control': 'public, max-age=60',
      })
      .end('no such user'),
  );
  const { ask, line } = await startTestGateway(`
routes:
  - path: /a
    aggregate:
      slow: { upstream: ${slow.url}, path: / }
      user: { upstream: ${part.url}, path: "/{client.address}", passStatus: [404, 410], optional: true }
`);
  const answer = await ask('/a');
  expect([answer.status, answer.body, answer.whole]).toEqual([404, 'no such user', true]);
  expect(answer.headers).toMatchObject({
    'content-type': 'text/plain',
    'cache-control': 'private, max-age=60',
  });
  for (const name of ['set-cookie', 'etag', 'snowgate-partial'])
    expect(answer.headers).not.toHaveProperty(name);
  const logged = await line((each) => each.path === '/a');
  expect([logged.status, logged.code, partsOf(logged)]).toEqual([
    404,
    '-',
    'slow;code=GW_PART_DROPPED, user;code=-',
  ]);
  await until(() => slow.sockets.size === 0, 'the slow part to be let go');
});

test('what cannot be shaped as it is asked for is a failure that says so', async () => {
  const origin = await startOrigin((request, response) =>
    sendJson(response, request.url === '/list' ? [1, 2] : `${'['.repeat(65)}${']'.repeat(65)}`),
  );
  const { ask } = await startTestGateway(`
trustedProxies: [127.0.0.1]
routes:
  - { path: /pick, aggregate: { it: { upstream: ${origin.url}, path: /list, pick: [a] } } }
  - { path: /root, aggregate: { it: { upstream: ${origin.url}, path: /list, into: / } } }
  - { path: /at, aggregate: { it: { upstream: ${origin.url}, path: /list, at: /a/b } } }
  - { path: /deep, aggregate: { it: { upstream: ${origin.url}, path: /deep } } }
`);
  const detail = async (path: string) => (await ask(path)).headers['proxy-status'];
  expect(await detail('/pick')).toContain('code=GW_PART_INVALID');
  expect(await detail('/pick')).toContain('details="part it: neither a map nor a list of maps"');
  expect(await detail('/root')).toContain('details="part it: no map, so its members cannot stand');
  expect(await detail('/at')).toContain('details="part it: nothing at /a/b"');
  expect(await detail('/deep')).toContain('details="part it: deeper than 64 maps and lists"');
});

test('nothing is left behind by many at once: parts that fail, clients that leave, answers that come', async () => {
  const origin = await startOrigin((request, response) => {
    const names = Object.keys(BEHAVIOURS) as Behaviour[];
    const at = Number(new URL(request.url!, 'http://x').searchParams.get('n')) % names.length;
    BEHAVIOURS[names[at]!](request, response);
  });
  const gateway = await startTestGateway(`
upstreams:
  origin: { targets: { ${origin.url}: 1 }, breaker: off, outlier: off }
routes:
  - name: home
    path: /a/{n}
    aggregate:
      one: { upstream: origin, path: "/one?n={params.n}", timeout: 150ms }
      two: { upstream: origin, path: "/two?n=1{params.n}", timeout: 150ms, optional: true }
      three: { upstream: origin, path: "/three?n=0&of={parts.one.is}" }
`);
  const asked = Array.from({ length: 120 }, async (_, at) => {
    // Five and the number of behaviours have no divisor in common: of each some stay.
    const signal = at % 5 === 0 ? AbortSignal.timeout(20 + at) : null;
    try {
      const answer = await fetch(`http://127.0.0.1:${gateway.port}/a/${at}`, { signal });
      await answer.text();
      return answer.status;
    } catch {
      return 0; // It left, as it was told to.
    }
  });
  const statuses = await Promise.all(asked);
  expect(new Set(statuses).size).toBeGreaterThan(3);
  // Some clients may have left before they were heard at all.
  expect(gateway.access.length).toBeGreaterThan(80);
  const ofKind = async (name: string) =>
    [...(await gateway.series())].filter(([key]) => key.startsWith(`${name}{`));
  const underWay = async () => [
    ...(await ofKind('snowgate_requests_in_flight')),
    ...(await ofKind('snowgate_endpoint_in_flight')),
  ];
  await expect.poll(async () => (await underWay()).filter(([, count]) => count !== 0)).toEqual([]);
  expect((await underWay()).length).toBeGreaterThan(1);
  const counted = (await ofKind('snowgate_upstream_attempts_total')).reduce(
    (sum, [, count]) => sum + count,
    0,
  );
  expect(counted).toBe(gateway.access.reduce((sum, { attempts }) => sum + attempts, 0));
});

test('the series of a part go with it', async () => {
  const origin = await startJsonOrigin({});
  const route = (name: string) =>
    `routes: [{ name: home, path: /a, aggregate: { ${name}: { upstream: "${origin.url}", path: / } } }]`;
  const gateway = await startTestGateway(route('one'));
  await gateway.ask('/a');
  const parts = async () => [...(await gateway.series()).keys()].filter((key) => key.includes('parts_total'));
  expect(await parts()).toEqual(['snowgate_aggregate_parts_total{code="-",part="one",route="home"}']);
  await gateway.edit(route('two'));
  expect(await parts()).toEqual([]);
});
