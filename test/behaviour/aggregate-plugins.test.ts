/** Plugins of an upstream around the parts of an aggregate: each call is a request and an answer of its own to them. */
import { expect, test } from 'vitest';
import { startTestGateway, until } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { BEHAVIOURS, sendJson, startJsonOrigin } from '../kit/json-origin.ts';

/** A plugin of the user's whose hooks are this text. */
const plugin = (name: string, hooks: string) => ({
  [`plugins/${name}.ts`]: `
import { createFields, definePlugin, gatewayError, z } from 'snowgate/plugin';
const seen = [];
export default definePlugin({
  name: '${name}', summary: 'Of a test.', config: z.strictObject({}),
  setup: (_config, host) => (${hooks}),
});
`,
});

/** `one` goes through an upstream with the plugins, `two` does not. */
const route = (url: string, plugins: string, more = '') => `
upstreams:
  mine: { targets: { ${url}: 1 }, plugins: ${plugins}, retry: { attempts: 1 } }
routes:
  - name: home
    path: /a
    aggregate:
      one: { upstream: mine, path: /one${more} }
      two: { upstream: "${url}", path: /two }
`;

test('headers are set and removed on the call of a part, and on its answer, and nowhere else', async () => {
  const origin = await startOrigin((_request, response) =>
    sendJson(response, {}, { 'cache-control': 'max-age=60', 'set-cookie': 'a=1' }),
  );
  const { ask } = await startTestGateway(
    route(
      origin.url,
      '{ headers: { request: { set: { x-tenant: "t {query.t}" }, remove: [x-gone] }, response: { remove: [set-cookie], set: { cache-control: max-age=5 } } } }',
      ', setCookie: true',
    ),
  );
  const answer = await ask('/a?t=7', { headers: { 'x-gone': '1' } });
  expect([answer.status, answer.headers['cache-control'], answer.headers['set-cookie']]).toEqual([
    200,
    'max-age=5',
    undefined,
  ]);
  const [one, two] = origin.reached.toSorted((a, b) => a.url.localeCompare(b.url));
  expect([one!.headers['x-tenant'], one!.headers['x-gone']]).toEqual(['t 7', undefined]);
  expect([two!.headers['x-tenant'], two!.headers['x-gone']]).toEqual([undefined, '1']);
});

test('the hooks of one call share their place, and see the call and not the client’s request', async () => {
  const list = await startJsonOrigin('[1,2,3]');
  const origin = await startOrigin((request, response) =>
    sendJson(response, `"${request.headers['x-mark']}"`),
  );
  const { ask, log } = await startTestGateway(
    `
upstreams:
  mine: { targets: { ${origin.url}: 1 }, plugins: { mark: } }
routes:
  - path: /a
    aggregate:
      list: { upstream: "${list.url}", path: / }
      all: { upstream: mine, each: parts.list, method: POST, path: "/{each}", body: { n: "{each}" } }
`,
    plugin(
      'mark',
      `{
        async request(x) {
          x.slots[host.slot] = x.request.method + x.request.path + new TextDecoder().decode(await x.readRequest(100));
        },
        attempt(x, head) { head.fields['x-mark'] = encodeURIComponent(x.slots[host.slot]); },
        response(x, reply) { x.slots[host.slot] += ' ' + reply.status; },
        log(x) { host.log.info('marked ' + x.slots[host.slot] + ' ' + x.upstream + ' ' + x.attempts.length); },
      }`,
    ),
  );
  const marks = [1, 2, 3].map((n) => `POST/${n}{"n":${n}}`);
  expect(JSON.parse((await ask('/a')).body).all.map(decodeURIComponent)).toEqual(marks);
  const logged = () => log.map(({ msg }) => msg).filter((msg) => msg.startsWith('marked'));
  expect(logged().sort()).toEqual(marks.map((mark) => `marked ${mark} 200 mine 1`));
});

test('a plugin may answer in place of the upstream, or in place of its failure', async () => {
  const bad = await startOrigin((request, response) =>
    request.url === '/two' ? sendJson(response, {}) : BEHAVIOURS.reset(request),
  );
  const reply = (text: string) =>
    `({ status: 200, fields: { 'Content-Type': 'application/json' }, body: new TextEncoder().encode('${text}'), by: 'plugin', error: null })`;
  const instead = await startTestGateway(
    route(bad.url, '{ mock: }'),
    plugin('mock', `{ request: () => ${reply('{"is":"made up"}')} }`),
  );
  const made = await instead.ask('/a');
  expect([made.status, made.body]).toEqual([200, '{"one":{"is":"made up"},"two":{}}']);
  expect(bad.reached.map(({ url }) => url)).toEqual(['/two']);

  const fallback = await startTestGateway(
    route(bad.url, '{ mend: }'),
    plugin(
      'mend',
      `{ response: async (_x, reply) => reply.error === null ? undefined : ${reply('"mended"')} }`,
    ),
  );
  expect((await fallback.ask('/a')).body).toBe('{"one":"mended","two":{}}');
});

test('a plugin that refuses or fails fails its part alone', async () => {
  const origin = await startJsonOrigin({});
  for (const [hooks, code, status] of [
    [`{ request() { throw new Error('of the test'); } }`, 'GW_PLUGIN', 500],
    [`{ response: async () => { throw new Error('of the test'); } }`, 'GW_PLUGIN', 500],
    [`{ request() { throw gatewayError('GW_FORBIDDEN', 'of the test'); } }`, 'GW_FORBIDDEN', 403],
    [`{ attempt() { throw new Error('of the test'); } }`, 'GW_PLUGIN', 500],
    [
      `{ response(x) { x.mapResponse((next) => ({ write() { throw new Error('of the test'); }, end() {}, fail: (error) => next.fail(error), ready: null })); } }`,
      'GW_PLUGIN',
      500,
    ],
  ] as const) {
    const required = await startTestGateway(route(origin.url, '{ odd: }'), plugin('odd', hooks));
    const failed = await required.ask('/a');
    expect([failed.status, JSON.parse(failed.body)], hooks).toMatchObject([status, { code, part: 'one' }]);
    const optional = await startTestGateway(
      route(origin.url, '{ odd: }', ', optional: true'),
      plugin('odd', hooks),
    );
    const partial = await optional.ask('/a');
    expect([partial.status, partial.headers['snowgate-partial'], partial.body]).toEqual([
      200,
      `one;code=${code}`,
      '{"one":null,"two":{}}',
    ]);
  }
});

test('bodies go through the stages of plugins in both directions', async () => {
  const origin = await startOrigin((_request, response, body) =>
    sendJson(response, body === '' ? '{}' : body),
  );
  const { ask } = await startTestGateway(
    route(origin.url, '{ stages: }', ', method: POST, body: { a: "x y z" }'),
    plugin(
      'stages',
      `(() => {
        const map = (change) => (next) => ({
          write: (chunk) => next.write(new TextEncoder().encode(change(new TextDecoder().decode(chunk)))),
          end: (trailers) => next.end(trailers),
          fail: (error) => next.fail(error),
          get ready() { return next.ready; },
          set ready(run) { next.ready = run; },
        });
        return {
          request(x) { x.mapRequest(map((text) => text.replaceAll(' ', '--'))); },
          response(x) { x.mapResponse(map((text) => text.toUpperCase())); },
        };
      })()`,
    ),
  );
  expect((await ask('/a')).body).toBe('{"one":{"A":"X--Y--Z"},"two":{}}');
});

test('a hook that takes too long costs its part alone, and nothing is asked after a client has left', async () => {
  const origin = await startJsonOrigin({});
  const waits = plugin(
    'waits',
    `{ request: (x) => new Promise((go) => { host.log.info('waits'); setTimeout(() => { host.log.info('has waited'); go(); }, 300); }) }`,
  );
  const late = await startTestGateway(
    route(origin.url, '{ never: }', ', optional: true, timeout: 50ms'),
    plugin('never', '{ request: () => new Promise(() => undefined) }'),
  );
  expect((await late.ask('/a')).headers['snowgate-partial']).toBe('one;code=GW_UPSTREAM_TIMEOUT');
  const later = await startTestGateway(
    route(origin.url, '{ waits: , after: }', ', optional: true, timeout: 50ms'),
    {
      ...waits,
      ...plugin('after', `{ request: () => host.log.info('after'), log: () => host.log.info('ended') }`),
    },
  );
  await later.ask('/a');
  await later.logged('has waited');
  expect(later.log.map(({ msg }) => msg).filter((msg) => /after|ended/.test(msg))).toEqual(['ended']);
  const gateway = await startTestGateway(route(origin.url, '{ waits: }'), waits);
  const controller = new AbortController();
  const left = fetch(`http://127.0.0.1:${gateway.port}/a`, { signal: controller.signal }).catch(() => 'left');
  await gateway.logged('waits');
  controller.abort();
  expect(await left).toBe('left');
  await gateway.line((line) => line.code === 'GW_CLIENT_LEFT');
  await gateway.logged('has waited');
  // What was sent before this would have come before it.
  await fetch(`${origin.url}/last`);
  expect(origin.reached.filter(({ url }) => url === '/one')).toEqual([]);
});

test('a status that a plugin gives can be passed on, with the body that went through its stages', async () => {
  const origin = await startOrigin((request, response) =>
    request.url === '/two' ? undefined : sendJson(response, '"gone"', { 'content-length': '6' }, 410),
  );
  const { ask } = await startTestGateway(
    route(origin.url, '{ soft: }', ', passStatus: [404]'),
    plugin(
      'soft',
      `{ response(x, reply) {
        reply.status = 404;
        x.mapResponse((next) => ({ write: (chunk) => next.write(chunk), end: (t) => { next.write(new TextEncoder().encode(' now')); next.end(t); }, fail: (e) => next.fail(e), get ready() { return next.ready; }, set ready(run) { next.ready = run; } }));
      } }`,
    ),
  );
  const answer = await ask('/a');
  expect([answer.status, answer.body, answer.whole]).toEqual([404, '"gone" now', true]);
  await until(() => origin.sockets.size <= 1, 'the other part to be let go');
});

test('an upstream with plugins that never answers in time opens its breaker as any other', async () => {
  const origin = await startOrigin(BEHAVIOURS.silent);
  const { ask } = await startTestGateway(`
upstreams:
  mine:
    targets: { ${origin.url}: 1 }
    breaker: { minimum: 2, openFor: 1m }
    retry: { attempts: 1 }
    plugins: { headers: { request: { set: { x-a: b } } } }
routes:
  - { path: /a, aggregate: { one: { upstream: mine, path: /, optional: true, timeout: 60ms } } }
`);
  const codes: unknown[] = [];
  while (codes.at(-1) !== 'one;code=GW_BREAKER_OPEN' && codes.length < 10)
    codes.push((await ask('/a')).headers['snowgate-partial']);
  expect(codes[0]).toBe('one;code=GW_UPSTREAM_TIMEOUT');
  expect(codes.at(-1)).toBe('one;code=GW_BREAKER_OPEN');
});
