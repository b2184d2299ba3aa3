/** The ext-auth plugin through the whole gateway: a service that says yes, no, rubbish, nothing, or isn't there. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { startTestGateway, until } from '../kit/gateway.ts';
import { deadPort, startOrigin, startRawOrigin } from '../kit/gateway-origin.ts';
import { RawClient } from '../kit/raw.ts';

const start = async (
  says: (request: IncomingMessage, response: ServerResponse) => void,
  more = '',
  url?: string,
) => {
  const origin = await startOrigin();
  const service = await startOrigin(says);
  const gateway = await startTestGateway(`
routes:
  - path: /**
    upstream: ${origin.url}
    plugins: { ext-auth: { url: "${url ?? `${service.url}/check`}", copy: [x-user, x-tenant]${more} } }
`);
  return { origin, service, ...gateway };
};

test('its yes lets a request pass, with what it says of it; what a client says of itself is gone', async () => {
  const { ask, origin, service, line } = await start(
    (_, response) => response.writeHead(200, { 'x-user': 'ann', 'x-other': 'no' }).end('ok'),
    ', principal: x-user',
  );
  const headers = {
    'x-user': 'root',
    'x-tenant': 'all',
    authorization: 'Token t',
    cookie: 'a=1',
    'x-secret': 's',
  };
  expect((await ask('/orders/7?v=2', { method: 'POST', headers, body: 'text' })).status).toBe(200);
  expect(service.reached).toHaveLength(1);
  const [asked] = service.reached;
  expect(asked).toMatchObject({
    method: 'GET',
    url: '/check',
    body: '',
    headers: {
      authorization: 'Token t',
      cookie: 'a=1',
      'x-original-method': 'POST',
      'x-original-uri': '/orders/7?v=2',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
    },
  });
  expect(asked!.headers).not.toHaveProperty('x-secret');
  const [sent] = origin.reached;
  expect(sent).toMatchObject({ method: 'POST', body: 'text', headers: { 'x-user': 'ann' } });
  expect(sent!.headers).not.toHaveProperty('x-tenant');
  expect(sent!.headers).not.toHaveProperty('x-other');
  expect(await line((each) => each.status === 200)).toMatchObject({ principal: 'ann' });
});

test('its no is passed on in its own words, or in ours', async () => {
  const { ask, origin, line } = await start((request, response) => {
    const uri = request.headers['x-original-uri'];
    if (uri === '/login')
      response
        .writeHead(302, { location: 'https://login.example/', 'set-cookie': ['a=1', 'b=2'], 'x-user': 'u' })
        .end();
    else if (uri === '/words') response.writeHead(403, { 'content-type': 'text/plain' }).end('not you');
    else response.writeHead(401, { 'www-authenticate': 'Token' }).end();
  });
  const login = await ask('/login');
  expect([login.status, login.headers.location, login.headers['set-cookie']]).toEqual([
    302,
    'https://login.example/',
    ['a=1', 'b=2'],
  ]);
  expect(login.headers).not.toHaveProperty('x-user');
  const words = await ask('/words');
  expect([words.status, words.headers['content-type'], words.body]).toEqual([403, 'text/plain', 'not you']);
  const plain = await ask('/');
  expect([plain.status, plain.headers['www-authenticate'], JSON.parse(plain.body).code]).toEqual([
    401,
    'Token',
    'GW_UNAUTHENTICATED',
  ]);
  expect(await line((each) => each.path === '/words')).toMatchObject({ code: 'GW_FORBIDDEN' });
  expect(origin.reached).toEqual([]);
});

const BROKEN: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  'an error': (_, response) => response.writeHead(500).end('yes'),
  'not found': (_, response) => response.writeHead(404).end(),
  'a permanent redirect': (_, response) => response.writeHead(301, { location: '/' }).end(),
  'too much': (_, response) => response.writeHead(200).end('x'.repeat(70_000)),
  'too large a head': (_, response) => response.writeHead(200, { 'x-user': 'x'.repeat(20_000) }).end(),
  'half an answer': (_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('x');
    setImmediate(() => response.destroy());
  },
  nothing: () => undefined,
  'a head and nothing more': (_, response) => void response.writeHead(200, { 'x-user': 'ann' }).write('x'),
};
for (const [what, says] of Object.entries(BROKEN)) {
  test(`a service that answers ${what} lets nobody pass`, async () => {
    const { ask, origin } = await start(says, ', timeout: 300ms');
    const answer = await ask('/');
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'GW_AUTH_UNAVAILABLE']);
    expect(answer.headers['retry-after']).toBe('1');
    expect(origin.reached).toEqual([]);
  });
}

test('a yes without the name that was asked for is none', async () => {
  const { ask } = await start((_, response) => response.end(), ', principal: x-user');
  expect((await ask('/')).status).toBe(503);
});

test('a service that is not there lets nobody pass, and is asked again as soon as it is', async () => {
  const port = await deadPort();
  const { ask, line } = await start(() => undefined, '', `http://127.0.0.1:${port}/`);
  expect((await ask('/')).status).toBe(503);
  expect((await line((each) => each.status === 503)).detail).toMatch(/ECONNREFUSED/);
  await startOrigin((_, response) => response.end(), port);
  expect((await ask('/')).status).toBe(200);
});

test('a service that speaks no HTTP lets nobody pass', async () => {
  const raw = await startRawOrigin((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
  const { ask } = await start(() => undefined, '', raw.url);
  expect((await ask('/')).status).toBe(503);
});

test('only so many are asked about at once; the rest is refused at once', async () => {
  const waiting: ServerResponse[] = [];
  const { ask, service } = await start((_, response) => void waiting.push(response), ', concurrency: 2');
  const first = [ask('/a'), ask('/b')];
  await until(() => service.reached.length === 2, 'two questions');
  expect((await ask('/c')).status).toBe(503);
  for (const response of waiting) response.end();
  expect((await Promise.all(first)).map((answer) => answer.status)).toEqual([200, 200]);
  const last = ask('/d');
  await until(() => waiting.length === 3, 'a third question');
  waiting[2]!.end();
  expect((await last).status).toBe(200);
});

test('a client that leaves takes its question with it', async () => {
  const { port, service } = await start(() => undefined, ', timeout: 60s');
  const client = new RawClient(port).send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => service.reached.length === 1, 'the question');
  client.destroy();
  await until(() => service.sockets.size === 0, 'its end');
});

test('a hundred odd requests do not use up the connections to the service', async () => {
  const { service, port } = await start((_, response) => response.end());
  const head = 'GET /?q=%E4"<|> HTTP/1.1\r\nhost: a\r\nconnection: close\r\n';
  for (let at = 0; at < 100; at++) {
    const answer = await new RawClient(port).send(`${head}authorization: \xe4 ${at}\r\n\r\n`).answer();
    expect(answer.status).toBe(200);
  }
  const good = await new RawClient(port).send('GET / HTTP/1.1\r\nhost: a\r\n\r\n').answer();
  expect(good.status).toBe(200);
  expect(service.reached).toHaveLength(101);
});
