/** The cors plugin against the Fetch standard. */
import { expect, test } from 'vitest';
import { runBefore, runResponse } from '../../../src/pipeline/run.ts';
import { type Reply, reply } from '../../../src/plugin.ts';
import { builtInChain, configIssues, exchangeOf } from '../../kit/plugin.ts';

const SHOP = 'https://shop.example';
const preflight = (origin: string, more: Record<string, string> = {}) =>
  exchangeOf({
    method: 'OPTIONS',
    fields: { origin, 'access-control-request-method': 'PUT', ...more },
  });

/** What the client gets: the hooks before and after, in the gateway's order. */
const ask = async (config: unknown, x = exchangeOf(), upstream: Reply = reply(200)) => {
  const chain = await builtInChain(['cors', config]);
  const early = await runBefore(chain, x);
  return runResponse(chain, x, early ?? upstream) as Reply;
};

test('a preflight of a listed origin is answered at once with what is allowed', async () => {
  const { status, fields } = await ask({ origins: [SHOP] }, preflight(SHOP));
  expect({ status, ...fields }).toEqual({
    status: 204,
    vary: 'Access-Control-Request-Method, Access-Control-Request-Headers, Origin',
    'access-control-allow-origin': SHOP,
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': 'content-type, authorization',
    'access-control-max-age': '600',
  });
});

test('a preflight of another origin is answered without permission', async () => {
  const { status, fields } = await ask({ origins: [SHOP] }, preflight('https://evil.example'));
  expect(status).toBe(204);
  expect(Object.keys(fields)).toEqual(['vary']);
});

test('the private network is never opened', async () => {
  const x = preflight(SHOP, { 'access-control-request-private-network': 'true' });
  const { fields } = await ask({ origins: [SHOP] }, x);
  expect(fields['access-control-allow-private-network']).toBeUndefined();
});

test('an OPTIONS that is no preflight goes to the upstream', async () => {
  for (const fields of [{}, { origin: SHOP }, { 'access-control-request-method': 'PUT' }]) {
    const chain = await builtInChain(['cors', { origins: [SHOP] }]);
    expect(runBefore(chain, exchangeOf({ method: 'OPTIONS', fields }))).toBeUndefined();
  }
});

test('an answer to a listed origin may be read, and caches are told what it depends on', async () => {
  const x = exchangeOf({ fields: { origin: SHOP } });
  const { fields } = await ask({ origins: [SHOP], expose: ['x-trace-id'], credentials: true }, x);
  expect({ ...fields }).toEqual({
    vary: 'Origin',
    'access-control-allow-origin': SHOP,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'x-trace-id',
  });
});

test('Vary says Origin even without one, but not where everybody gets the same', async () => {
  expect({ ...(await ask({ origins: [SHOP] })).fields }).toEqual({ vary: 'Origin' });
  expect({ ...(await ask({ origins: ['*'] })).fields }).toEqual({});
  const x = exchangeOf({ fields: { origin: SHOP } });
  expect({ ...(await ask({ origins: ['*'] }, x)).fields }).toEqual({ 'access-control-allow-origin': '*' });
});

const VARIES: [before: string | string[], after: string][] = [
  ['Accept', 'Accept, Origin'],
  ['accept, origin', 'accept, origin'],
  [['Accept', 'Cookie'], 'Accept, Cookie, Origin'],
  ['*', '*'],
];
for (const [before, after] of VARIES) {
  test(`a Vary of ${JSON.stringify(before)} becomes ${after}`, async () => {
    const upstream = reply(200, { vary: before });
    expect((await ask({ origins: [SHOP] }, exchangeOf(), upstream)).fields.vary).toBe(after);
  });
}

test('what the upstream says of CORS gives way to the gateway’s', async () => {
  const upstream = reply(200, {
    'access-control-allow-origin': '*',
    'access-control-allow-credentials': 'true',
  });
  const listed = await ask({ origins: [SHOP] }, exchangeOf({ fields: { origin: SHOP } }), upstream);
  expect(listed.fields['access-control-allow-origin']).toBe(SHOP);
  expect(listed.fields['access-control-allow-credentials']).toBeUndefined();
  const other = await ask({ origins: [SHOP] }, exchangeOf({ fields: { origin: 'https://b.example' } }), {
    ...upstream,
    fields: { 'access-control-allow-origin': '*' },
  });
  expect({ ...other.fields }).toEqual({ vary: 'Origin' });
});

const ORIGINS: [listed: string, origin: string, allowed: boolean][] = [
  [SHOP, 'https://shop.example', true],
  [SHOP, 'http://shop.example', false],
  [SHOP, 'https://shop.example:8443', false],
  [SHOP, 'https://shop.example.evil.example', false],
  [SHOP, 'null', false],
  ['https://*.shop.example', 'https://a.shop.example', true],
  ['https://*.shop.example', 'https://a.b.shop.example', true],
  ['https://*.shop.example', 'https://shop.example', false],
  ['https://*.shop.example', 'https://.shop.example', false],
  ['https://*.shop.example', 'https://evilshop.example', false],
  ['https://*.shop.example', 'https://evil.example/.shop.example', false],
  ['https://*.shop.example', 'https://evil.example#.shop.example', false],
  ['https://*.shop.example:8443', 'https://a.shop.example:8443', true],
  ['https://*.shop.example:8443', 'https://a.shop.example', false],
];
for (const [listed, origin, allowed] of ORIGINS) {
  test(`${origin} is ${allowed ? '' : 'not '}among ${listed}`, async () => {
    const { fields } = await ask({ origins: [listed] }, preflight(origin));
    expect(fields['access-control-allow-origin']).toBe(allowed ? origin : undefined);
  });
}

test('doubled Origin lines are nobody’s origin', async () => {
  const x = exchangeOf({ fields: { origin: [SHOP, SHOP] } });
  expect((await ask({ origins: [SHOP] }, x)).fields['access-control-allow-origin']).toBeUndefined();
});

const REFUSED: [config: unknown, path: (string | number)[]][] = [
  [{}, ['origins']],
  [{ origins: [] }, ['origins']],
  [{ origins: ['shop.example'] }, ['origins', 0]],
  [{ origins: ['https://shop.example/'] }, ['origins', 0]],
  [{ origins: ['https://Shop.example'] }, ['origins', 0]],
  [{ origins: ['null'] }, ['origins', 0]],
  [{ origins: ['*'], credentials: true }, ['origins', 0]],
  [{ origins: [SHOP], headers: ['a', '*'], credentials: true }, ['headers', 1]],
  [{ origins: [SHOP], methods: ['GET, POST'] }, ['methods', 0]],
  [{ origins: [SHOP], maxAge: '10 minutes' }, ['maxAge']],
  [{ orgins: [SHOP], origins: [SHOP] }, ['orgins']],
];
for (const [config, path] of REFUSED) {
  test(`${JSON.stringify(config)} is refused at ${path.join('.')}`, async () => {
    expect((await configIssues('cors', config)).map((issue) => issue.path)).toEqual([path]);
  });
}

test('a misspelt key comes with what was meant', async () => {
  const [issue] = await configIssues('cors', { orgins: [], origins: [SHOP] });
  expect(issue?.remedy).toBe('Did you mean `origins`?');
});
