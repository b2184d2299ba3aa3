import { once } from 'node:events';
import http from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { reply } from '../../src/plugin.ts';
import {
  eventually,
  RawClient,
  startGateway,
  startRawOrigin,
  type TestGateway,
  type TestOrigin,
} from '../kit/proxy-gateway.ts';

let gateway: TestGateway;
let origin: TestOrigin;
let closeOrigin = async () => {};

afterEach(async () => {
  await gateway.close();
  await closeOrigin();
});

const HANDSHAKE =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

const startEcho = async (seen: http.IncomingMessage[] = []) => {
  const server = http.createServer();
  const echo = new WebSocketServer({ server, handleProtocols: (offered) => [...offered][0] ?? false });
  echo.on('connection', (socket, request) => {
    seen.push(request);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeOrigin = async () => {
    for (const client of echo.clients) client.terminate();
    echo.close();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as { port: number }).port, echo };
};

const usesOrigin = (started: TestOrigin) => {
  origin = started;
  closeOrigin = () => started.close();
};

test('a WebSocket echoes text and bytes, large ones too, and closes with its code', async () => {
  const seen: http.IncomingMessage[] = [];
  const { port } = await startEcho(seen);
  gateway = await startGateway(port);
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/chat?x=1`, ['v1'], {
    perMessageDeflate: true,
  });
  await once(socket, 'open');
  expect(socket.protocol).toBe('v1');

  socket.send('hello');
  const [text] = (await once(socket, 'message')) as [Buffer];
  expect(text.toString()).toBe('hello');
  const large = Buffer.alloc(3 * 1024 ** 2, 7);
  socket.send(large);
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  expect(bytes.equals(large)).toBe(true);

  expect(seen[0]!.url).toBe('/chat?x=1');
  expect(seen[0]!.headers).toMatchObject({ 'x-trace-id': '1000', 'x-forwarded-for': '127.0.0.1' });
  socket.close(4001, 'bye');
  const [code] = (await once(socket, 'close')) as [number];
  expect(code).toBe(4001);
  const { x, how } = await gateway.finished();
  expect(x).toMatchObject({ status: 101, error: null });
  expect(how).toBe('sent');
});

test('the 101 carries the trace ID and the upstream’s handshake', async () => {
  const { port } = await startEcho();
  gateway = await startGateway(port);
  const client = new RawClient(gateway.port).send(HANDSHAKE);
  await client.untilText('\r\n\r\n');
  const head = client.text.toLowerCase();
  expect(head).toMatch(/^http\/1\.1 101 /);
  expect(head).toContain('sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n');
  expect(head).toContain('x-trace-id: 1000\r\n');
  expect(head.match(/^upgrade: websocket\r$/gm)).toHaveLength(1);
  client.socket.destroy();
  await gateway.finished();
});

test('either end that goes takes the other with it', async () => {
  const { port, echo } = await startEcho();
  gateway = await startGateway(port);
  const first = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
  await once(first, 'open');
  await eventually(() => echo.clients.size === 1);
  first.terminate();
  await eventually(() => echo.clients.size === 0);

  const second = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
  await once(second, 'open');
  await eventually(() => echo.clients.size === 1);
  for (const client of echo.clients) client.terminate();
  await once(second, 'close');
});

test('a refusal of the upstream passes as it is', async () => {
  usesOrigin(
    await startRawOrigin((socket) =>
      socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\nx-why: no\r\n\r\nnope'),
    ),
  );
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port).send(HANDSHAKE);
  await client.untilText('nope');
  expect(client.text).toMatch(/^HTTP\/1\.1 403 /);
  expect(client.text.toLowerCase()).toContain('x-why: no\r\n');
  expect(gateway.exchanges[0]!.error).toBeNull();
  client.socket.destroy();
});

test('an upstream that resets the handshake is a 502, not a bare close', async () => {
  usesOrigin(await startRawOrigin((socket) => socket.resetAndDestroy()));
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port).send(HANDSHAKE);
  await client.untilText('"traceId":"1000"');
  expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  client.socket.destroy();
});

test('a hook may refuse after the upstream has agreed', async () => {
  const { port, echo } = await startEcho();
  gateway = await startGateway(port, {
    respond: (_x, given) => (given.status === 101 ? reply(403, {}, 'not you') : undefined),
  });
  const client = new RawClient(gateway.port).send(HANDSHAKE);
  await client.untilText('not you');
  expect(client.text).toMatch(/^HTTP\/1\.1 403 /);
  await eventually(() => echo.clients.size === 0);
  client.socket.destroy();
});

test('a tunnel that carries nothing is ended, and so is one whose time is over', async () => {
  const { port } = await startEcho();
  for (const options of [
    { timeouts: { connectMs: 1000, firstByteMs: 1000, idleMs: 150 } },
    { maxDurationMs: 150 },
  ]) {
    gateway = await startGateway(port, options);
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
    await once(socket, 'open');
    await once(socket, 'close');
    await gateway.finished();
    if (options.maxDurationMs === undefined) continue;
    expect(gateway.exchanges[0]!.error?.code).toBe('GW_TIMEOUT');
  }
});
