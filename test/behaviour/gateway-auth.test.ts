/** Tokens through the whole gateway: who gets in, what the upstream sees, and what the log keeps to itself. */
import { expect, test } from 'vitest';
import { refusalOf, startTestGateway, until } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { goodClaims, ISSUER, signingKey, signToken, startIssuer } from '../kit/issuer.ts';

const key = await signingKey('k1');
const other = await signingKey('k2');
const keysOf = (...keys: (typeof key)[]) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test('a token gets in, is not passed on, and its claims are, which no client can say itself', async () => {
  const origin = await startOrigin();
  const { ask, line } = await startTestGateway(
    `
routes:
  - path: /orders/**
    upstream: ${origin.url}
    plugins:
      jwt: { issuer: ${ISSUER}, audience: orders, jwks: ./keys.json, forward: { sub: x-user, roles: x-roles } }
  - path: /open/**
    upstream: ${origin.url}
    plugins:
      jwt: { issuer: ${ISSUER}, audience: orders, jwks: ./keys.json, optional: true, forward: { sub: x-user } }
  - { path: /plain/**, upstream: ${origin.url} }
`,
    { 'keys.json': keysOf(key) },
  );
  const forged = { 'X-User': 'root', 'X-Roles': 'admin', x_user: 'root', connection: 'x-user' };
  const token = await signToken(key);

  const none = await ask('/orders/7', { headers: forged });
  expect([none.status, none.headers['www-authenticate'], JSON.parse(none.body).code]).toEqual([
    401,
    'Bearer realm="api"',
    'GW_UNAUTHENTICATED',
  ]);
  const wrong = await ask('/orders/7', { headers: { ...forged, ...bearer(`${token}x`) } });
  expect([wrong.status, wrong.headers['www-authenticate']]).toEqual([
    401,
    'Bearer realm="api", error="invalid_token", error_description="the token is malformed"',
  ]);
  expect(wrong.body).not.toContain(token);
  expect(origin.reached).toEqual([]);

  for (let at = 0; at < 2; at++)
    expect((await ask('/orders/7', { headers: { ...forged, ...bearer(token) } })).status).toBe(200);
  expect((await ask('/open/7', { headers: forged })).status).toBe(200);
  expect((await ask('/open/7', { headers: { ...forged, ...bearer(token) } })).status).toBe(200);
  expect((await ask('/open/7', { headers: bearer('x') })).status).toBe(401);
  expect((await ask('/plain/7', { headers: forged })).status).toBe(200);
  expect(
    origin.reached.map(({ headers }) => [headers['x-user'], headers['x-roles'], headers.authorization]),
  ).toEqual([
    ['alice', undefined, undefined],
    ['alice', undefined, undefined],
    [undefined, undefined, undefined],
    ['alice', undefined, undefined],
    [undefined, undefined, undefined],
  ]);
  for (const { headers } of origin.reached) expect(headers).not.toHaveProperty('x_user');
  expect(await line((each) => each.principal === 'alice')).toMatchObject({ path: '/orders/7', status: 200 });
  expect(await line((each) => each.detail === 'no credential for jwt')).toMatchObject({ status: 401 });
  expect(await line((each) => each.detail === 'the token is malformed')).toMatchObject({ status: 401 });
  const elsewhere = await signToken(key, goodClaims(Date.now(), { aud: ['billing'] }));
  expect((await ask('/orders/7', { headers: bearer(elsewhere) })).headers['www-authenticate']).toMatch(
    /error_description="the token is for another audience"$/,
  );
  expect(
    await line((each) => each.detail === 'the token is for another audience: ["billing"]'),
  ).toMatchObject({ status: 401 });
});

test('a token in the query goes neither upstream nor into a log', async () => {
  const origin = await startOrigin();
  const { ask, line, log, access } = await startTestGateway(
    `
routes:
  - path: /**
    upstream: ${origin.url}
    plugins: { jwt: { issuer: ${ISSUER}, audience: orders, jwks: ./keys.json, from: [query.access_token] } }
`,
    { 'keys.json': keysOf(key) },
  );
  const token = await signToken(key);
  const bad = await signToken(other);
  expect((await ask(`/a?x=1&access_token=${token}&y=2`)).status).toBe(200);
  expect((await ask(`/b?access_token=${bad}`)).status).toBe(401);
  await line((each) => each.path === '/b');
  expect(origin.reached.map(({ url }) => url)).toEqual(['/a?x=1&y=2']);
  const written = JSON.stringify([log, access]);
  for (const secret of [token, bad]) expect(written).not.toContain(secret.split('.')[2]);
});

test('keys that change while requests come in lose none of them', async () => {
  const origin = await startOrigin();
  const issuer = await startIssuer(key);
  const { ask } = await startTestGateway(`
routes:
  - { path: /**, upstream: ${origin.url}, plugins: { jwt: { issuer: "${issuer.url}", audience: any } } }
`);
  let signing = key;
  const statuses: number[] = [];
  const load = async () => {
    for (let at = 0; at < 40; at++) {
      const token = await signToken(signing, goodClaims(Date.now(), { iss: issuer.url, jti: `${at}` }));
      statuses.push((await ask('/', { headers: bearer(token) })).status);
    }
  };
  const running = [load(), load(), load(), load()];
  await until(() => statuses.length > 40, 'load');
  issuer.keys = [key, other];
  signing = other;
  await Promise.all(running);
  expect(statuses).toEqual(new Array(160).fill(200));
  expect(issuer.fetches).toBe(2);
});

test('a key file that changes is read again, and tokens of the old key are out', async () => {
  const origin = await startOrigin();
  const gateway = await startTestGateway(
    `routes: [{ path: /**, upstream: "${origin.url}", plugins: { jwt: { issuer: "${ISSUER}", audience: any, jwks: ./keys.json } } }]`,
    { 'keys.json': keysOf(key) },
  );
  const ask = async (signing: typeof key) =>
    (await gateway.ask('/', { headers: bearer(await signToken(signing)) })).status;
  expect([await ask(key), await ask(other)]).toEqual([200, 401]);
  const before = gateway.applied;
  gateway.write('keys.json', keysOf(other));
  await until(() => gateway.applied > before, 'the other keys');
  expect([await ask(key), await ask(other)]).toEqual([401, 200]);
  gateway.write('keys.json', '{"keys":[');
  await gateway.logged('is refused');
  expect(await ask(other)).toBe(200);
});

test('several authenticators on a route: any suffices, and a wrong credential is never excused', async () => {
  const origin = await startOrigin();
  const { ask } = await startTestGateway(
    `
plugins:
  jwt: { issuer: ${ISSUER}, audience: any, jwks: ./a.json }
routes:
  - path: /both
    upstream: ${origin.url}
    plugins: { cookie: { type: jwt, issuer: ${ISSUER}, audience: any, jwks: ./b.json, from: [cookie.s] } }
  - { path: /none, upstream: "${origin.url}", plugins: { jwt: false } }
`,
    { 'a.json': keysOf(key), 'b.json': keysOf(other) },
  );
  const [a, b] = [await signToken(key), await signToken(other)];
  const status = async (path: string, headers: Record<string, string>) =>
    (await ask(path, { headers })).status;
  expect(await status('/both', bearer(a))).toBe(200);
  expect(await status('/both', { cookie: `s=${b}` })).toBe(200);
  expect(await status('/both', { ...bearer(a), cookie: `s=${b}` })).toBe(200);
  expect(await status('/both', { ...bearer(a), cookie: 's=x' })).toBe(401);
  expect(await status('/both', { ...bearer(b), cookie: `s=${b}` })).toBe(401);
  expect(await status('/both', {})).toBe(401);
  expect(await status('/none', {})).toBe(200);
});

test('a wrong setting is told with its place', async () => {
  expect(
    await refusalOf(`
routes:
  - path: /a
    upstream: http://127.0.0.1:9
    plugins:
      jwt:
        isuer: ${ISSUER}
`),
  ).toEqual(['9: the plugin jwt: unknown key `isuer`', '9: the plugin jwt: `issuer` is missing']);
});
