import http, { type IncomingMessage } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import {
  RawClient,
  startGateway,
  startHttpOrigin,
  startRawOrigin,
  type TestGateway,
  type TestOrigin,
} from '../kit/proxy-gateway.ts';

let gateway: TestGateway;
let origin: TestOrigin;

afterEach(async () => {
  await gateway.close();
  await origin.close();
});

/** Echoes what it got as JSON. */
const echo: http.RequestListener = (request, response) => {
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    const { method, url, headers } = request;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, body }));
  });
};

const get = (port: number, options: http.RequestOptions, body?: string): Promise<[IncomingMessage, string]> =>
  new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', agent: false, ...options }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve([response, text]));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });

test('the upstream sees who asked, and nothing that a stranger made up', async () => {
  origin = await startHttpOrigin(echo);
  gateway = await startGateway(origin.port);
  const [response, text] = await get(gateway.port, {
    path: '/a?b=c',
    headers: {
      host: 'shop.example:81',
      'x-forwarded-for': '1.1.1.1',
      'x-forwarded-prefix': '/admin',
      forwarded: 'for=1.1.1.1',
      'x-real-ip': '1.1.1.1',
      'x-trace-id': '5',
      te: 'trailers, deflate',
    },
  });
  const seen = JSON.parse(text);
  expect(seen.url).toBe('/a?b=c');
  expect(seen.headers).toMatchObject({
    host: 'shop.example:81',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'shop.example:81',
    'x-forwarded-port': '81',
    'x-forwarded-proto': 'http',
    forwarded: 'for=127.0.0.1;host="shop.example:81";proto=http',
    via: '1.1 snowgate-test',
    'x-trace-id': '1000',
  });
  expect(seen.headers['x-real-ip']).toBeUndefined();
  expect(seen.headers['x-forwarded-prefix']).toBeUndefined();
  expect(response.headers).toMatchObject({ 'x-trace-id': '1000', via: '1.1 snowgate-test' });
  expect(response.headers['server-timing']).toBeUndefined();
});

test('a trusted caller gets the timing and the endpoint', async () => {
  origin = await startHttpOrigin(echo);
  gateway = await startGateway(origin.port, { trusted: true, hostHeader: 'upstream' });
  const [response, text] = await get(gateway.port, { headers: { 'x-forwarded-for': '1.1.1.1' } });
  const seen = JSON.parse(text);
  expect(seen.headers['x-forwarded-for']).toBe('1.1.1.1, 127.0.0.1');
  expect(seen.headers.host).toBe(`127.0.0.1:${origin.port}`);
  expect(response.headers['server-timing']).toMatch(/^gateway;dur=[\d.]+, upstream;dur=[\d.]+$/);
  expect(response.headers['proxy-status']).toContain(`next-hop="127.0.0.1:${origin.port}"`);
});

test('a request that has been here before is refused', async () => {
  origin = await startHttpOrigin(echo);
  gateway = await startGateway(origin.port);
  const [response, text] = await get(gateway.port, { headers: { via: '1.0 a, 1.1 snowgate-test' } });
  expect(response.statusCode).toBe(502);
  expect(JSON.parse(text).code).toBe('GW_LOOP');
  expect(response.headers['proxy-status']).toContain('error=proxy_loop_detected');
});

test('a gateway in front of itself stops at the first turn', async () => {
  origin = await startHttpOrigin(echo);
  gateway = await startGateway(origin.port);
  const outer = await startGateway(gateway.port);
  const [response, text] = await get(outer.port, {});
  expect(response.statusCode).toBe(502);
  expect(JSON.parse(text).code).toBe('GW_LOOP');
  expect(origin.sockets.size).toBe(0);
  await outer.close();
});

test('HEAD keeps the length that GET would have, and the connection', async () => {
  origin = await startHttpOrigin((_request, response) => {
    response.writeHead(200, { 'content-length': '1234', etag: '"x"' });
    response.end();
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  for (const turn of [1, 2]) {
    client.text = '';
    client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.untilText('\r\n\r\n');
    expect(client.text, `turn ${turn}`).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.text.toLowerCase()).toContain('content-length: 1234\r\n');
    expect(client.text.endsWith('\r\n\r\n')).toBe(true);
  }
  client.socket.destroy();
});

test.each([
  ['204 No Content', ''],
  ['304 Not Modified', 'etag: "x"\r\ncontent-length: 55\r\n'],
])('%s has no body and leaves the connection usable', async (status, fields) => {
  origin = await startRawOrigin((socket) => socket.write(`HTTP/1.1 ${status}\r\n${fields}\r\n`));
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  for (const _turn of [1, 2]) {
    client.text = '';
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.untilText('\r\n\r\n');
    expect(client.text.startsWith(`HTTP/1.1 ${status}`)).toBe(true);
    expect(client.text.toLowerCase()).not.toContain('transfer-encoding');
    expect(client.text.endsWith('\r\n\r\n')).toBe(true);
  }
  client.socket.destroy();
});

test('a gateway’s refusal of HEAD is a head only', async () => {
  origin = await startHttpOrigin(echo);
  const { port } = origin;
  await origin.close();
  gateway = await startGateway(port);
  const client = new RawClient(gateway.port);
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.untilText('\r\n\r\n');
  expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  expect(client.text).toContain('code=GW_CONNECT_REFUSED');
  expect(client.text.endsWith('\r\n\r\n')).toBe(true);
  client.socket.destroy();
});

test.each(['GET', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])(
  'a %s with a body passes whole',
  async (method) => {
    origin = await startHttpOrigin(echo);
    gateway = await startGateway(origin.port);
    const [, text] = await get(gateway.port, { method, headers: { 'content-length': '5' } }, 'hello');
    expect(JSON.parse(text)).toMatchObject({ method, body: 'hello' });
  },
);

test('103 goes on before the answer', async () => {
  origin = await startRawOrigin((socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n');
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port).send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.untilText('\r\n\r\nok');
  expect(client.text).toMatch(
    /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 /i,
  );
  client.socket.destroy();
});

test('trailers come out at the end', async () => {
  origin = await startHttpOrigin((_request, response) => {
    response.writeHead(200, { trailer: 'x-checksum' });
    response.write('part');
    response.addTrailers({ 'x-checksum': 'abc' });
    response.end();
  });
  gateway = await startGateway(origin.port);
  const [response, text] = await get(gateway.port, { headers: { te: 'trailers' } });
  expect(text).toBe('part');
  expect(response.trailers).toEqual({ 'x-checksum': 'abc' });
});

test('trailers of a chunked request reach the upstream, those on the list only', async () => {
  origin = await startHttpOrigin(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    response.end(JSON.stringify([text, request.rawTrailers]));
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  client.send(
    'POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\n' +
      'X-Sum: 1\r\nx-sum: 2\r\ngrpc-status: 0\r\nauthorization: evil\r\nx-forwarded-for: 1.1.1.1\r\n' +
      'host: evil\r\ncookie: a\r\n\r\n',
  );
  const trailers = ['x-sum', '1', 'x-sum', '2', 'grpc-status', '0'];
  await client.untilText(JSON.stringify(['abc', trailers]));
  client.socket.destroy();
});

test('the gateway answers Expect itself, and only when the body is wanted', async () => {
  origin = await startHttpOrigin(echo);
  gateway = await startGateway(origin.port, { bodyLimitBytes: 10 });
  const client = new RawClient(gateway.port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
  await client.untilText('HTTP/1.1 100 Continue\r\n\r\n');
  client.send('hello');
  await client.untilText('"body":"hello"');
  expect(client.text).not.toContain('"expect"');
  client.socket.destroy();

  const large = new RawClient(gateway.port);
  large.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n');
  await large.untilText('GW_BODY_TOO_LARGE');
  expect(large.text).toMatch(/^HTTP\/1\.1 413 /);
  large.socket.destroy();
});

test('fields of an answer pass untouched, repeated ones too, but not the connection’s', async () => {
  origin = await startRawOrigin((socket) =>
    socket.write(
      'HTTP/1.1 404 Nope\r\nset-cookie: a=1\r\nset-cookie: b=2, c\r\nx-hop: 1\r\nconnection: x-hop\r\n' +
        'vary: a\r\nvary: b\r\ncontent-length: 4\r\n\r\nnope',
    ),
  );
  gateway = await startGateway(origin.port);
  const [response, text] = await get(gateway.port, {});
  expect(response.statusCode).toBe(404);
  expect(text).toBe('nope');
  expect(response.headers['set-cookie']).toEqual(['a=1', 'b=2, c']);
  expect(response.headers.vary).toBe('a, b');
  expect(response.headers['x-hop']).toBeUndefined();
});

test('a try whose attempt hook throws is never sent', async () => {
  let requests = 0;
  origin = await startRawOrigin((socket) => {
    requests++;
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  });
  let failing = false;
  gateway = await startGateway(origin.port, {
    attempt: () => {
      if (failing) throw new Error('boom');
    },
  });
  // The second request finds a connection that is ready to be written to.
  await get(gateway.port, {});
  failing = true;
  const [response, text] = await get(gateway.port, {});
  expect(response.statusCode).toBe(500);
  expect(JSON.parse(text).code).toBe('GW_PLUGIN');
  failing = false;
  await get(gateway.port, {});
  expect(requests).toBe(2);
});
