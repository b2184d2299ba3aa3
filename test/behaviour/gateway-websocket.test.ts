/** WebSockets through the whole gateway: whose pages may open them, and when they end. */
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestGateway, until } from '../kit/gateway.ts';
import { startEchoOrigin } from '../kit/gateway-origin.ts';
import { goodClaims, ISSUER, signingKey, signToken } from '../kit/issuer.ts';

const key = await signingKey('k1');
const keys = JSON.stringify({ keys: [key.jwk] });

/** The open socket, or the status of the answer that refused it. */
const open = (port: number, path: string, options: object = {}): Promise<WebSocket | number> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
    onTestFinished(() => socket.terminate());
    socket.on('open', () => resolve(socket));
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      resolve(response.statusCode!);
    });
    socket.on('error', reject);
  });

const echoed = async (socket: WebSocket | number, text: string): Promise<string> => {
  if (typeof socket === 'number') return String(socket);
  socket.send(text);
  const [message] = (await once(socket, 'message')) as [Buffer];
  return message.toString();
};

test('a page of another site cannot open one; programs, listed pages and those of the same host can', async () => {
  const origin = await startEchoOrigin();
  const { port, line, ask } = await startTestGateway(`
routes:
  - path: /chat
    upstream: ${origin.url}
    websocket: { origins: ["https://shop.example", "https://*.shop.example"] }
  - { path: /own, upstream: "${origin.url}", websocket: { origins: [] } }
  - { path: /any, upstream: "${origin.url}" }
`);
  const rows: [path: string, page: string | undefined, passes: boolean][] = [
    ['/chat', undefined, true],
    ['/chat', 'https://shop.example', true],
    ['/chat', 'https://eu.shop.example', true],
    ['/chat', `http://127.0.0.1:${port}`, true],
    ['/chat', 'https://evil.example', false],
    ['/chat', 'https://evilshop.example', false],
    ['/chat', 'https://shop.example.evil.example', false],
    ['/chat', 'http://shop.example', false],
    ['/chat', 'null', false],
    ['/chat', '', false],
    ['/own', undefined, true],
    ['/own', `https://127.0.0.1:${port}`, true],
    ['/own', 'http://127.0.0.1:1', false],
    ['/any', 'https://evil.example', true],
  ];
  for (const [path, page, passes] of rows) {
    const socket = await open(port, path, page === undefined ? {} : { headers: { origin: page } });
    expect([path, page, await echoed(socket, 'hi')]).toEqual([path, page, passes ? 'hi' : '403']);
  }
  expect(await line((each) => each.code === 'GW_ORIGIN_REFUSED')).toMatchObject({
    path: '/chat',
    status: 403,
  });
  const plain = await ask('/chat', { headers: { origin: 'https://evil.example' } });
  expect(plain.status).toBe(200);
});

test('one that is opened with a token ends with it, where the route says so', async () => {
  const origin = await startEchoOrigin();
  const jwt = `jwt: { issuer: "${ISSUER}", audience: any, jwks: ./keys.json, from: [query.token] }`;
  const { port, line } = await startTestGateway(
    `
routes:
  - { path: /ends, upstream: "${origin.url}", websocket: { endWithToken: true }, plugins: { ${jwt} } }
  - { path: /stays, upstream: "${origin.url}", plugins: { ${jwt} } }
`,
    { 'keys.json': keys },
  );
  const exp = Math.ceil(Date.now() / 1000) + 1;
  const token = await signToken(key, goodClaims(Date.now(), { exp }));
  expect(await open(port, '/ends')).toBe(401);
  const [ends, stays] = [await open(port, `/ends?token=${token}`), await open(port, `/stays?token=${token}`)];
  expect([await echoed(ends, 'a'), await echoed(stays, 'b')]).toEqual(['a', 'b']);
  const closed = once(ends as WebSocket, 'close');
  await closed;
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  expect(Date.now()).toBeLessThan(exp * 1000 + 5000);
  expect(await line((each) => each.path === '/ends' && each.status === 101)).toMatchObject({
    code: 'GW_CREDENTIAL_ENDED',
    principal: 'alice',
  });
  expect(await echoed(stays, 'still')).toBe('still');
  await until(() => origin.clients.size === 1, 'the end at the origin');
});

test('one that is silent for too long ends, by its own limit', async () => {
  const origin = await startEchoOrigin();
  const { port, line } = await startTestGateway(`
routes:
  - { path: /**, upstream: "${origin.url}", websocket: { idle: 200ms }, timeouts: { idle: 60s } }
`);
  const socket = await open(port, '/');
  expect(await echoed(socket, 'a')).toBe('a');
  await once(socket as WebSocket, 'close');
  expect(await line((each) => each.status === 101)).toMatchObject({ code: 'GW_UPSTREAM_IDLE' });
});
