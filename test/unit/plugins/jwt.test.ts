/** The jwt plugin: where tokens stand, whose they are, what the upstream gets, and what is remembered. */
import { createHash } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { Verified } from '../../../plugins/_auth/verified.ts';
import { compileChain } from '../../../src/pipeline/chain.ts';
import { createInstance } from '../../../src/pipeline/instances.ts';
import { runBefore, runRequest } from '../../../src/pipeline/run.ts';
import { goodClaims, ISSUER, type SigningKey, signingKey, signToken } from '../../kit/issuer.ts';
import {
  builtIn,
  builtInChain,
  configIssues,
  type ExchangeOptions,
  exchangeOf,
  folderOf,
  testHost,
  useOf,
} from '../../kit/plugin.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const claims = (more: Record<string, unknown> = {}) => goodClaims(NOW_MS, more);
let key: SigningKey;
let second: SigningKey;
beforeAll(async () => {
  key = await signingKey('k1');
  second = await signingKey('k2', 'EdDSA');
});

const settings = (more: Record<string, unknown> = {}) => ({
  issuer: ISSUER,
  audience: 'orders',
  keys: [key.jwk],
  ...more,
});

/** What a request comes to: its status, or who it is for and what the upstream gets. */
const asked = async (more: Record<string, unknown>, request: ExchangeOptions) => {
  const chain = await builtInChain(['jwt', settings(more)]);
  const x = exchangeOf(request);
  const refusal = await runBefore(chain, x);
  if (refusal !== undefined) return refusal.status;
  await runRequest(chain, x);
  return { id: x.principal?.id ?? null, ...x.request.fields, query: x.request.query };
};

test('a token may stand in the header, a cookie, the query or a header of its own, and goes no further', async () => {
  const token = await signToken(key, claims());
  const rows: [from: string[], request: ExchangeOptions, sent: Record<string, unknown>][] = [
    [['header.authorization'], { fields: { authorization: `Bearer ${token}` } }, {}],
    [['header.authorization'], { fields: { authorization: `bearer   ${token}` } }, {}],
    [['header.x-token'], { fields: { 'x-token': token } }, {}],
    [['cookie.session'], { fields: { cookie: `a=1; session=${token}; b=2` } }, { cookie: 'a=1; b=2' }],
    [['cookie.session'], { fields: { cookie: `session="${token}"` } }, {}],
    [['query.access_token'], { query: `?a=1&access_token=${token}&b=2` }, { query: '?a=1&b=2' }],
    [['query.access_token'], { query: `?access%5Ftoken=${token}` }, {}],
    [
      ['cookie.session', 'header.authorization'],
      { fields: { cookie: `session=${token}`, authorization: 'Bearer other' } },
      {},
    ],
  ];
  for (const [from, request, sent] of rows)
    expect(await asked({ from }, request)).toEqual({ id: 'alice', query: '', ...sent });
});

test('a credential of another kind is left alone, and is none', async () => {
  const fields = { authorization: 'Basic YTpi' };
  expect(await asked({}, { fields })).toBe(401);
  expect(await asked({ optional: true }, { fields })).toEqual({ id: null, ...fields, query: '' });
});

test('without a token there is a challenge and no error; optional lets it pass, and never a wrong one', async () => {
  const chain = await builtInChain(['jwt', settings({ realm: 'shop' })]);
  expect(await runBefore(chain, exchangeOf())).toMatchObject({
    status: 401,
    fields: { 'www-authenticate': ['Bearer realm="shop"'] },
  });
  expect(await asked({ optional: true }, {})).toEqual({ id: null, query: '' });
  expect(await asked({ optional: true }, { fields: { authorization: 'Bearer x' } })).toBe(401);
});

test('forwardToken leaves the token where it was', async () => {
  const authorization = `Bearer ${await signToken(key, claims())}`;
  expect(await asked({ forwardToken: true }, { fields: { authorization } })).toMatchObject({ authorization });
});

test('claims become headers; nothing in them breaks out of its line or its list', async () => {
  const forward = {
    sub: 'X-User',
    roles: 'x-roles',
    'org.name': 'x-org',
    '["https://x/plan"]': 'x-plan',
    admin: 'x-admin',
    none: 'x-none',
    map: 'x-map',
  };
  const token = await signToken(
    key,
    claims({
      sub: 'zoë\r\nx-admin: true',
      roles: ['a', 'b,c', 'd'],
      org: { name: 'Großhandel' },
      'https://x/plan': 'pro',
      admin: false,
      none: null,
      map: { a: 'ü' },
    }),
  );
  expect(await asked({ forward }, { fields: { authorization: `Bearer ${token}` } })).toEqual({
    id: 'zoë\r\nx-admin: true',
    query: '',
    'x-user': 'zo%C3%AB%0D%0Ax-admin: true',
    'x-roles': 'a,b%2Cc,d',
    'x-org': 'Gro%C3%9Fhandel',
    'x-plan': 'pro',
    'x-admin': 'false',
    'x-map': '{"a":"%C3%BC"}',
  });
});

test('its headers are reserved, and only set for whom it vouched', async () => {
  const instance = await createInstance(
    await builtIn('jwt'),
    useOf('jwt', settings({ forward: { sub: 'X-User' } })),
    testHost(),
  );
  expect(instance.hooks.reserves).toEqual(['x-user']);
  const x = exchangeOf();
  x.principal = { id: 'p', claims: { sub: 'p' }, scopes: [], by: 'another' };
  await instance.hooks.request!(x);
  expect(x.request.fields).toEqual({});
  await instance.dispose();
});

test('principal has the scopes in either spelling, the claims unchangeable, and the subject that is asked for', async () => {
  const principalOf = async (more: Record<string, unknown>, setting: Record<string, unknown> = {}) => {
    const chain = await builtInChain(['jwt', settings(setting)]);
    const x = exchangeOf({ fields: { authorization: `Bearer ${await signToken(key, claims(more))}` } });
    await runBefore(chain, x);
    return x.principal;
  };
  expect((await principalOf({ scope: 'a  b' }))!.scopes).toEqual(['a', 'b']);
  expect((await principalOf({ scp: ['a', 1, 'b'] }))!.scopes).toEqual(['a', 'b']);
  expect((await principalOf({}))!.scopes).toEqual([]);
  expect((await principalOf({ client_id: 'c' }, { subject: 'client_id' }))!.id).toBe('c');
  const { claims: kept } = (await principalOf({ org: { name: 'x' } }))!;
  expect(() => Object.assign(kept.org as object, { name: 'y' })).toThrow(TypeError);
});

test('several issuers stand side by side, each with keys and rules of its own', async () => {
  const issuers = [
    { issuer: ISSUER, audience: 'orders', keys: [key.jwk] },
    { issuer: 'partner', audience: 'any', keys: second.pem },
  ];
  const chain = await builtInChain(['jwt', { issuers }]);
  const ask = async (token: string) => {
    const x = exchangeOf({ fields: { authorization: `Bearer ${token}` } });
    return (await runBefore(chain, x))?.status ?? x.principal!.id;
  };
  expect(await ask(await signToken(key, claims()))).toBe('alice');
  expect(await ask(await signToken(second, claims({ iss: 'partner', aud: 'x', sub: 'bob' })))).toBe('bob');
  expect(await ask(await signToken(second, claims()))).toBe(401);
  expect(await ask(await signToken(key, claims({ iss: 'partner' })))).toBe(401);
});

test('without an audience only tokens that name none are taken', async () => {
  const ask = async (aud: unknown, audience: unknown) => {
    const authorization = `Bearer ${await signToken(key, claims({ aud }))}`;
    const got = await asked({ audience }, { fields: { authorization } });
    return typeof got === 'number' ? got : got.id;
  };
  expect(await ask(undefined, undefined)).toBe('alice');
  expect(await ask('orders', undefined)).toBe(401);
  expect(await ask('orders', 'any')).toBe('alice');
  expect(await ask(['x', 'users'], ['orders', 'users'])).toBe('alice');
});

test('a token that is known needs no promise, until it expires', async () => {
  const host = testHost();
  const instance = await createInstance(await builtIn('jwt'), useOf('jwt', settings()), host);
  const chain = compileChain([instance]);
  const now = Math.floor(host.clock.wallMs() / 1000);
  const token = await signToken(key, claims({ exp: now + 100 }));
  const request = () => exchangeOf({ fields: { authorization: `Bearer ${token}` } });
  expect(runBefore(chain, request())).toBeInstanceOf(Promise);
  await runBefore(chain, request());
  const x = request();
  expect([runBefore(chain, x), x.principal?.id]).toEqual([undefined, 'alice']);
  host.clock.advance(129_000);
  expect(runBefore(chain, request())).toBeUndefined();
  host.clock.advance(1_001);
  expect(await runBefore(chain, request())).toMatchObject({
    status: 401,
    fields: { 'www-authenticate': expect.stringContaining('the token has expired') },
  });
  expect(host.counts.get('jwt_refused')).toBe(1);
  await instance.dispose();
});

test('with no room to remember every token is verified', async () => {
  const chain = await builtInChain(['jwt', settings({ cache: 0 })]);
  const request = async () =>
    exchangeOf({ fields: { authorization: `Bearer ${await signToken(key, claims())}` } });
  await runBefore(chain, await request());
  expect(runBefore(chain, await request())).toBeInstanceOf(Promise);
});

test('what is remembered is bounded, and what is used stays', () => {
  const memory = new Verified<number>(10);
  memory.set('used', -1);
  for (let at = 0; at < 1000; at++) {
    memory.set(`t${at}`, at);
    expect(memory.get('used')).toBe(-1);
    expect(memory.size).toBeLessThanOrEqual(11);
  }
  expect(memory.get('t0')).toBeUndefined();
});

test('keys may come from a file: a set, one key, PEM, a secret', async () => {
  const secret = createHash('sha512').update('x').digest('base64url');
  const files = folderOf({
    'set.json': JSON.stringify({ keys: [key.jwk, second.jwk] }),
    'one.json': JSON.stringify(key.jwk),
    'key.pem': `${second.pem}\n${key.pem}`,
    'oct.json': JSON.stringify({ kty: 'oct', k: secret }),
    'bad.json': '{ "keys": []',
    'private.pem': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  });
  const authorization = `Bearer ${await signToken(key, claims())}`;
  for (const name of ['set.json', 'one.json', 'key.pem'])
    expect(
      await asked({ keys: undefined, jwks: `${files.path}/${name}` }, { fields: { authorization } }),
    ).toMatchObject({ id: 'alice' });
  expect(
    await asked({ keys: undefined, jwks: `${files.path}/oct.json` }, { fields: { authorization } }),
  ).toBe(401);
  const problem = async (name: string, more: Record<string, unknown> = {}) =>
    (await configIssues('jwt', settings({ keys: undefined, jwks: `${files.path}/${name}`, ...more })))[0]
      ?.message;
  expect(await problem('bad.json')).toMatch(/bad\.json is neither JSON nor PEM/);
  expect(await problem('none.json')).toMatch(/: the file \S*none\.json does not exist/);
  expect(await problem('private.pem')).toMatch(/private\.pem key 1 is a private key/);
  expect(await problem('one.json', { algorithms: ['RS256'] })).toMatch(/one\.json has no key for RS256/);
});

const REFUSED: [more: Record<string, unknown>, path: (string | number)[], message: RegExp][] = [
  [{ issuer: undefined }, ['issuer'], /is missing/],
  [{ keys: undefined, issuer: 'partner' }, ['issuer'], /no URL/],
  [{ keys: undefined, issuer: 'http://idp.example/' }, ['issuer'], /must be https/],
  [{ keys: undefined, jwks: 'http://idp.example/keys' }, ['jwks'], /must be https/],
  [{ keys: undefined, jwks: 'https://a:b@idp.example/keys' }, ['jwks'], /without a user/],
  [{ jwks: './keys.json' }, ['keys'], /excludes jwks/],
  [{ algorithms: ['none'] }, ['algorithms', 0], /./],
  [{ skew: '61s' }, ['skew'], /at most 60s/],
  [{ skew: 'soon' }, ['skew'], /at most 60s/],
  [{ from: ['authorization'] }, ['from', 0], /header\.NAME/],
  [{ from: ['body.token'] }, ['from', 0], /header\.NAME/],
  [{ forward: { sub: 'host' } }, ['forward', 'sub'], /belongs to the gateway/],
  [{ forward: { sub: 'x-forwarded-user' } }, ['forward', 'sub'], /belongs to the gateway/],
  [{ forward: { sub: 'x_user' } }, ['forward', 'sub'], /header name/],
  [{ forward: { 'a b': 'x-user' } }, ['forward', 'a b'], /no word/],
  [{ realm: 'a"b' }, ['realm'], /without quotes/],
  [{ issuers: [] }, ['issuers'], /./],
  [{ issuers: [{ issuer: 'a' }] }, ['issuers', 0, 'issuer'], /no URL/],
  [{ issuers: [{ issuer: 'https://a' }, { issuer: 'https://a' }] }, ['issuer'], /entries of issuers/],
  [
    {
      issuer: undefined,
      audience: undefined,
      keys: undefined,
      issuers: [{ issuer: 'https://a' }],
      skew: '1s',
    },
    ['skew'],
    /entries of issuers/,
  ],
];
for (const [more, path, message] of REFUSED) {
  test(`${JSON.stringify(more)} is refused`, async () => {
    const issues = await configIssues('jwt', settings(more));
    expect(issues[0]).toMatchObject({ path, message: expect.stringMatching(message) });
  });
}
