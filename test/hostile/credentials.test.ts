/** Credentials in odd places and spellings: the upstream believes nobody whom the gateway has not looked at. */
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { goodClaims, ISSUER, signingKey, signToken } from '../kit/issuer.ts';
import { RawClient } from '../kit/raw.ts';

const key = await signingKey('k1');
const keys = { 'keys.json': JSON.stringify({ keys: [key.jwk] }) };
const jwt = (more = '') => `jwt: { issuer: ${ISSUER}, audience: orders, jwks: ./keys.json${more} }`;
const FORGED = 'forged.by.somebody';

const start = async (plugins: string) => {
  const trailers: IncomingMessage['trailers'][] = [];
  const origin = await startOrigin((request, response) => {
    trailers.push(request.trailers);
    response.end('ok');
  });
  const gateway = await startTestGateway(
    `routes: [{ path: /**, upstream: ${origin.url}, plugins: { ${plugins} } }]\n`,
    keys,
  );
  const port = gateway.gateway.listeners.open[0]!.port;
  const raw = async (request: string) => {
    const client = new RawClient(port);
    const { status } = await client.send(request).answer();
    client.socket.destroy();
    return status;
  };
  return { ...gateway, origin, trailers, raw };
};

test('whatever follows the word Bearer is a token, also where none is needed', async () => {
  const { raw, origin } = await start(jwt(', optional: true, forwardToken: true'));
  for (const value of [`Bearer\t${FORGED}`, `bearer,${FORGED}`, `BEARER=${FORGED}`, `Bearer\xa0${FORGED}`])
    expect(
      await raw(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ${value}\r\n\r\n`),
    ).toBe(401);
  // Another scheme is somebody else's, whatever its name begins with.
  expect(
    await raw('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearers x\r\n\r\n'),
  ).toBe(200);
  expect(origin.reached.map(({ headers }) => headers.authorization)).toEqual(['Bearers x']);
});

test('of several tokens the upstream gets the one that was looked at, and no other', async () => {
  const { ask, origin } = await start(
    jwt(', forwardToken: true, from: [header.authorization, cookie.session, query.access_token]'),
  );
  const token = await signToken(key);
  const seen = async (path: string, headers: Record<string, string>) => {
    expect((await ask(path, { headers })).status).toBe(200);
    const { url, headers: sent } = origin.reached.at(-1)!;
    return [url, sent.authorization, sent.cookie];
  };
  const forged = { cookie: `a=1; session=${FORGED}` };
  expect(
    await seen(`/x?access_token=${FORGED}&y=1`, { ...forged, authorization: `Bearer ${token}` }),
  ).toEqual(['/x?y=1', `Bearer ${token}`, 'a=1']);
  const cookies = { cookie: `session=${token}; a=1; session=${FORGED}` };
  expect(await seen(`/x?access_token=${FORGED}`, cookies)).toEqual([
    '/x',
    undefined,
    `session=${token}; a=1`,
  ]);
  expect(await seen(`/x?access%5ftoken=${token}&y=1&access_token=${FORGED}`, { cookie: 'a=1' })).toEqual([
    `/x?y=1&access_token=${token}`,
    undefined,
    'a=1',
  ]);
});

test('a token in the address of the page before is not passed on', async () => {
  const { ask, origin } = await start(jwt(', from: [query.access_token]'));
  const token = await signToken(key);
  const referers = {
    [`http://a/p?access_token=${token}`]: 'http://a/p',
    [`http://a/p?x=1&access%5ftoken=${token}&y=2#f`]: 'http://a/p?x=1&y=2#f',
    'http://a/p?x=1': 'http://a/p?x=1',
  };
  for (const referer of Object.keys(referers))
    expect((await ask(`/x?access_token=${token}`, { headers: { referer } })).status).toBe(200);
  expect(origin.reached.map(({ headers }) => headers.referer)).toEqual(Object.values(referers));
});

test('a name that the gateway speaks under cannot come as a trailer', async () => {
  const { raw, trailers, origin } = await start(jwt(', forward: { sub: x-subject }'));
  const token = await signToken(key, goodClaims());
  const status = await raw(
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n` +
      'Trailer: x-subject, x-checksum\r\n\r\n1\r\na\r\n0\r\nX-Subject: root\r\nX-Checksum: 7\r\n\r\n',
  );
  expect([status, origin.reached[0]!.headers['x-subject']]).toEqual([200, 'alice']);
  expect(trailers).toEqual([{ 'x-checksum': '7' }]);
});

test('the name that ext-auth says cannot be said by the client, copied or not', async () => {
  const service = await startOrigin((_, response) => response.writeHead(200, { 'x-user': 'ann' }).end());
  const { ask, origin } = await start(`ext-auth: { url: "${service.url}", principal: x-user }`);
  expect((await ask('/', { headers: { 'x-user': 'root' } })).status).toBe(200);
  expect(origin.reached[0]!.headers).not.toHaveProperty('x-user');
});
