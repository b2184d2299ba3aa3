/** WebSocket upgrades through an endpoint, and the tunnels that they become. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { GatewayError } from '../../src/kernel/errors.ts';
import type { EndpointTransport } from '../../src/transport/endpoint-transport.ts';
import type { Body } from '../../src/wire/body.ts';
import type { ResponseHead } from '../../src/wire/heads.ts';
import type { TunnelEnded, TunnelReceiver } from '../../src/wire/tunnel.ts';
import { type Answer, createBlackHole, createRawOrigin, refusingSpec, specOf } from '../kit/origin.ts';
import { type CallOptions, callOf, Heard, leftError, until } from '../kit/origin-calls.ts';
import { certificates } from '../kit/origin-tls.ts';
import { testTransport } from '../kit/origin-transport.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const ACCEPTED =
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Accept: ${ACCEPT}\r\nX-From: origin\r\n\r\n`;

const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

/** What came of a `connect`. */
class Outcome extends Heard implements TunnelReceiver {
  join: ((client: Duplex, ended: TunnelEnded) => void) | null = null;
  readonly opened = Promise.withResolvers<void>();

  open(head: ResponseHead, join: (client: Duplex, ended: TunnelEnded) => void): void {
    this.response = head;
    this.join = join;
    this.opened.resolve();
  }

  refuse(head: ResponseHead, body: Body): void {
    this.head(head, body);
  }
}

const handshake = (options: CallOptions = {}) =>
  callOf({
    ...options,
    fields: { 'sec-websocket-key': KEY, 'sec-websocket-version': '13', ...options.fields },
  });

const upgrade = (transport: EndpointTransport, options: CallOptions = {}, autoRead = true) => {
  const outcome = new Outcome(autoRead);
  const flight = transport.connect(handshake(options), outcome);
  return { outcome, flight };
};

const served = async (answer: Answer) => {
  const origin = await createRawOrigin(answer);
  const transport = testTransport(origin.spec);
  open.push(origin, { close: () => transport.close(0) });
  return { origin, transport };
};

/** Two ends of one TCP connection: ours, and the one that the gateway would hold. */
const socketPair = async (): Promise<{ mine: Socket; theirs: Socket }> => {
  const server = createTcpServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const mine = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  const [theirs] = (await once(server, 'connection')) as [Socket];
  server.close();
  mine.on('error', () => mine.destroy());
  open.push({ close: () => mine.destroy() }, { close: () => theirs.destroy() });
  return { mine, theirs };
};

const joined = async (transport: EndpointTransport, options: CallOptions = {}) => {
  const { outcome, flight } = upgrade(transport, options);
  await outcome.opened.promise;
  const { mine, theirs } = await socketPair();
  const ended = Promise.withResolvers<GatewayError | null>();
  let times = 0;
  outcome.join!(theirs, (error) => {
    times++;
    ended.resolve(error);
  });
  const texts = { mine: '' };
  mine.on('data', (chunk) => {
    texts.mine += chunk;
  });
  return { mine, theirs, texts, ended: ended.promise, times: () => times, flight, outcome };
};

test('the handshake arrives as it was given, on the path as it is', async () => {
  const { origin, transport } = await served(({ socket }) => socket.write(ACCEPTED));
  const { outcome } = upgrade(transport, {
    path: '//a/../http:/b//c',
    query: '?q=%20?x=//',
    fields: { 'x-a': ['1', '2'] },
  });
  await outcome.opened.promise;
  const lines = origin.heads[0]!.split('\r\n');
  expect(lines[0]).toBe('GET //a/../http:/b//c?q=%20?x=// HTTP/1.1');
  const names = lines.slice(1).map((line) => line.toLowerCase());
  expect(names.filter((line) => line.startsWith('host:'))).toEqual(['host: shop.example']);
  expect(names).toContain('connection: upgrade');
  expect(names).toContain('upgrade: websocket');
  expect(names).toContain(`sec-websocket-key: ${KEY.toLowerCase()}`);
  expect(names.filter((line) => line.startsWith('x-forwarded'))).toEqual([]);
  expect({ ...outcome.response!.fields }).toEqual({ 'sec-websocket-accept': ACCEPT, 'x-from': 'origin' });
});

test('bytes behind the 101 are kept until the client is joined', async () => {
  const { transport } = await served(({ socket }) => socket.write(`${ACCEPTED}early`));
  const { texts } = await joined(transport);
  await until(() => texts.mine === 'early', 'the early bytes');
});

test('bytes flow both ways with back-pressure until the upstream ends', async () => {
  const { origin, transport } = await served(({ socket }) => {
    socket.write(ACCEPTED);
    socket.on('data', (chunk) => socket.write(chunk));
  });
  const { mine, ended, times } = await joined(transport);
  const total = 8 << 20;
  const sent = createHash('sha1');
  const got = createHash('sha1');
  let bytes = 0;
  mine.on('data', (chunk: Buffer) => {
    if (bytes < total) got.update(chunk);
    bytes += chunk.length;
  });
  for (let at = 0; at < total; at += 1 << 16) {
    const chunk = Buffer.alloc(1 << 16, at >> 16);
    sent.update(chunk);
    if (!mine.write(chunk)) await once(mine, 'drain');
  }
  await until(() => bytes === total, 'all bytes');
  expect(got.digest('hex')).toBe(sent.digest('hex'));
  for (const socket of origin.sockets) socket.end('bye');
  await once(mine, 'end');
  mine.end();
  expect([await ended, times(), transport.inFlight]).toEqual([null, 1, 0]);
});

test('a client that does not read holds the upstream back', async () => {
  let written = 0;
  const { transport } = await served(({ socket }) => {
    socket.write(ACCEPTED);
    const more = () => {
      while (written < 1000) {
        written++;
        if (!socket.write(Buffer.alloc(1 << 16))) return;
      }
    };
    socket.on('drain', more);
    more();
  });
  const { mine } = await joined(transport);
  mine.pause();
  for (let before = -1, still = 0; still < 10; before = written) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    still = before === written ? still + 1 : 0;
  }
  expect(written).toBeLessThan(1000);
});

test('an end of the client reaches the upstream, which may still answer', async () => {
  const { transport } = await served(({ socket }) => {
    socket.write(ACCEPTED);
    socket.on('end', () => socket.end('last words'));
  });
  const { mine, texts, ended } = await joined(transport);
  mine.end();
  expect(await ended).toBe(null);
  expect(texts.mine).toBe('last words');
});

test.each([
  ['the upstream resets', 'GW_UPSTREAM_CUT'],
  ['the client resets', 'GW_CLIENT_LEFT'],
  ['nothing moves', 'GW_UPSTREAM_IDLE'],
  ['it is cancelled', 'GW_CLIENT_LEFT'],
  ['the endpoint is closed', 'GW_STOPPING'],
])('a tunnel ends with its cause when %s', async (how, code) => {
  const { origin, transport } = await served(({ socket }) => socket.write(ACCEPTED));
  const { mine, theirs, ended, times, flight } = await joined(transport, {
    timeouts: { idleMs: how === 'nothing moves' ? 60 : 0 },
  });
  if (how === 'the upstream resets') for (const socket of origin.sockets) socket.resetAndDestroy();
  if (how === 'the client resets') mine.resetAndDestroy();
  if (how === 'it is cancelled') flight.cancel(leftError);
  if (how === 'the endpoint is closed') await transport.close(0);
  expect((await ended)?.code).toBe(code);
  await until(() => origin.sockets.size === 0 && theirs.destroyed, 'both sides to be closed');
  expect([times(), transport.inFlight, transport.connections]).toEqual([1, 0, 0]);
});

test('traffic in either direction keeps a tunnel', async () => {
  const { transport } = await served(({ socket }) => socket.write(ACCEPTED));
  const { mine, times } = await joined(transport, { timeouts: { idleMs: 100 } });
  for (let turn = 0; turn < 8; turn++) {
    mine.write('x');
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(times()).toBe(0);
});

test.each([
  ['known length', 'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\ncontent-length: 4\r\n\r\nnope', null],
  [
    'chunks',
    'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\ntransfer-encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n',
    null,
  ],
  ['the close', 'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\n\r\nnope', null],
  ['a cut', 'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\ncontent-length: 9\r\n\r\nnope', 'GW_UPSTREAM_CUT'],
])('an ordinary answer with a body of %s is passed on', async (_kind, bytes, code) => {
  const { transport } = await served(({ socket }) => socket.end(bytes));
  const { outcome } = upgrade(transport);
  await outcome.done;
  expect([outcome.status, outcome.response?.fields['x-why'], outcome.text]).toEqual([403, 'no', 'nope']);
  expect([outcome.code, outcome.endings, transport.inFlight]).toEqual([code, 1, 0]);
});

test.each([
  ['a wrong accept', ACCEPTED.replace(ACCEPT, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='), 'GW_UPGRADE_FAILED'],
  ['no accept', ACCEPTED.replace(/Sec.*\r\n/, ''), 'GW_UPGRADE_FAILED'],
  ['another protocol', ACCEPTED.replace('websocket', 'h2c'), 'GW_UPGRADE_FAILED'],
  ['no HTTP', 'SSH-2.0\r\n\r\n', 'GW_UPSTREAM_PROTOCOL'],
  ['a huge head', `HTTP/1.1 101 S\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`, 'GW_UPSTREAM_HEADERS'],
])('%s is no tunnel', async (_what, bytes, code) => {
  const { origin, transport } = await served(({ socket }) => socket.write(bytes));
  const { outcome } = upgrade(transport);
  await outcome.done;
  expect([outcome.error?.code, outcome.join]).toEqual([code, null]);
  await until(() => origin.sockets.size === 0, 'the connection to be closed');
});

test('a connection that closes or stays silent before it answers fails the upgrade', async () => {
  for (const cut of ['end', 'resetAndDestroy'] as const) {
    const { transport } = await served(({ socket }) => socket[cut]());
    expect((await upgrade(transport).outcome.done).error?.code).toBe('GW_UPSTREAM_RESET');
  }
  const { transport } = await served(() => {});
  const slow = upgrade(transport, { timeouts: { firstByteMs: 50 } });
  expect((await slow.outcome.done).error?.code).toBe('GW_UPSTREAM_TIMEOUT');
  const late = upgrade(transport, { deadlineMs: performance.now() + 50 });
  expect((await late.outcome.done).error?.code).toBe('GW_TIMEOUT');
});

test('a connection that does not come to stand fails the upgrade', async () => {
  const refused = upgrade(testTransport(await refusingSpec()));
  expect((await refused.outcome.done).error?.code).toBe('GW_CONNECT_REFUSED');
  const hole = await createBlackHole();
  open.push(hole);
  const deaf = testTransport(hole.spec);
  const slow = upgrade(deaf, { timeouts: { connectMs: 50 } });
  expect((await slow.outcome.done).error?.code).toBe('GW_CONNECT_TIMEOUT');
  const left = upgrade(deaf);
  left.flight.cancel(leftError);
  expect([deaf.inFlight, left.outcome.endings]).toEqual([0, 0]);
});

test('an upgrade that cannot be sent fails alone', async () => {
  const { transport } = await served(({ socket }) => socket.write(ACCEPTED));
  for (const options of [{ path: '/#' }, { fields: { 'x-a': '\n' } }, { method: 'POST' }]) {
    expect((await upgrade(transport, options).outcome.done).error).not.toBe(null);
  }
  await upgrade(transport).outcome.opened.promise;
});

test.each(['http', 'https'] as const)('a WebSocket echoes over %s', async (scheme) => {
  const { ca, server: pem } = certificates();
  const web = scheme === 'https' ? createTlsServer(pem) : null;
  const sockets =
    web === null ? new WebSocketServer({ port: 0, host: '127.0.0.1' }) : new WebSocketServer({ server: web });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  const listener = web?.listen(0, '127.0.0.1') ?? sockets;
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const tls = { ca, cert: null, key: null, serverName: null, verify: true };
  const transport = testTransport(specOf(port, scheme), { tls: scheme === 'https' ? tls : null });
  open.push({ close: () => transport.close(0) }, sockets, ...(web === null ? [] : [web]));

  // The smallest front that a client needs: it reads a handshake and lets the tunnel answer it.
  const front = await createRawOrigin(({ head, rest, socket }) => {
    const key = /sec-websocket-key: (.*)/i.exec(head)![1]!;
    socket.removeAllListeners('data');
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    transport.connect(handshake({ fields: { 'sec-websocket-key': key } }), {
      open(answer, join) {
        const accept = String(answer.fields['sec-websocket-accept']);
        socket.write(
          `HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        join(socket, () => {});
      },
      refuse: () => socket.destroy(),
      fail: () => socket.destroy(),
    });
  });
  open.push(front);
  const client = new WebSocket(`ws://127.0.0.1:${front.spec.port}/`, { perMessageDeflate: false });
  await once(client, 'open');
  for (const text of ['one', 'x'.repeat(100_000)]) {
    client.send(text);
    const [data] = await once(client, 'message');
    expect(String(data)).toBe(text);
  }
  client.close(1000);
  const [code] = await once(client, 'close');
  expect(code).toBe(1000);
  await until(() => transport.inFlight === 0, 'the tunnel to be over');
});
