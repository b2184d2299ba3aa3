/** Limits on connections, limits that change, clients that leave, and upgrades. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Downstream } from '../../src/wire/downstream.ts';
import { RawClient } from '../kit/raw.ts';
import { answer, fields, LIMITS, mirror, startListener, type TestListener } from '../kit/server.ts';

let server: TestListener;
afterEach(() => server.stop());

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('too many connections', () => {
  it('are answered 503 and closed; a place that comes free is used', async () => {
    server = await startListener(mirror, { connections: 2 });
    const first = new RawClient(server.port).send(GET);
    const second = new RawClient(server.port).send(GET);
    expect((await first.answer()).status).toBe(200);
    expect((await second.answer()).status).toBe(200);
    const third = new RawClient(server.port).send(GET);
    const got = await third.answer();
    expect(got).toMatchObject({ status: 503, fields: { connection: 'close', 'retry-after': '1' } });
    expect(JSON.parse(got.body)).toMatchObject({ code: 'GW_CONNECTIONS' });
    expect(await third.closes()).toBe(true);
    expect(server.refusals.map((error) => error.code)).toEqual(['GW_CONNECTIONS']);
    third.destroy();
    first.destroy();
    await second.until(() => server.listener.connections < 2, 1000);
    while (server.listener.connections > 1) await new Promise((resolve) => setImmediate(resolve));
    const fourth = new RawClient(server.port).send(GET);
    expect((await fourth.answer()).status).toBe(200);
    second.destroy();
    fourth.destroy();
  });
});

describe('a reload', () => {
  it('changes who serves and the limits for connections that are open', async () => {
    server = await startListener((down) => answer(down, 'old'));
    const client = new RawClient(server.port);
    expect((await client.send(GET).answer()).body).toBe('old');
    server.listener.setServe((down) => answer(down, 'new'));
    expect((await client.send(GET).answer()).body).toBe('new');
    server.listener.setLimits({ ...LIMITS, headerCount: 2, urlBytes: 10 });
    expect((await client.send('GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n').answer()).status).toBe(200);
    expect((await client.send('GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n').answer()).status).toBe(
      431,
    );
    const other = new RawClient(server.port);
    expect((await other.send('GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n').answer()).status).toBe(414);
    client.destroy();
    other.destroy();
  });

  it('lets larger heads through to new connections', async () => {
    server = await startListener(mirror);
    server.listener.setLimits({ ...LIMITS, headerBytes: 64 * 1024 });
    const client = new RawClient(server.port);
    expect(
      (await client.send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(60_000)}\r\n\r\n`).answer()).status,
    ).toBe(200);
    client.destroy();
  });
});

describe('a serve that throws', () => {
  it('is answered 500, told of, and harms no other request', async () => {
    server = await startListener((down) => {
      if (down.head.path === '/late')
        down.reply({ status: 200, fields: fields() }, 5).write(Buffer.from('he'));
      if (down.head.path !== '/') throw new Error('secret');
      answer(down, 'fine');
    });
    const client = new RawClient(server.port);
    const got = await client.send(GET.replace('/', '/early')).answer();
    expect(got.status).toBe(500);
    expect(got.body).not.toContain('secret');
    expect((await client.send(GET).answer()).body).toBe('fine');
    expect((await client.send(GET.replace('/', '/late')).answer()).whole).toBe(false);
    expect(server.refusals.map((error) => error.code)).toEqual(['GW_INTERNAL', 'GW_INTERNAL']);
  });
});

describe('listen', () => {
  it('rejects when the port is taken', async () => {
    server = await startListener(mirror);
    const { createHttp1Listener } = await import('../../src/server/listener.ts');
    const { systemClock } = await import('../../src/kernel/clock.ts');
    const { createWheel } = await import('../../src/kernel/wheel.ts');
    const wheel = createWheel(systemClock);
    const timeouts = { headersMs: 1, bodyIdleMs: 1, keepAliveMs: 1, writeIdleMs: 1 };
    const second = createHttp1Listener({
      host: '127.0.0.1',
      port: server.port,
      serve: mirror,
      refused: () => '',
      limits: LIMITS,
      timeouts,
      clock: systemClock,
      wheel,
    });
    await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    wheel.stop();
  });
});

describe('a client that leaves', () => {
  const bytes = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';

  it.each(['fin', 'reset'] as const)('after any byte (%s) leaves nothing behind', async (way) => {
    let open = 0;
    const idle = { wake: () => {} };
    server = await startListener((down) => {
      open++;
      down.closed = () => {
        open--;
        idle.wake();
      };
      down.body?.read({ ready: null, write: () => true, end() {}, fail() {} });
    });
    for (let length = 0; length <= bytes.length; length++) {
      const socket = connect({ port: server.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      await once(socket, 'connect');
      if (length > 0) await new Promise((resolve) => socket.write(bytes.slice(0, length), resolve));
      if (way === 'fin') socket.end();
      else socket.resetAndDestroy();
      socket.resume();
    }
    const over = Date.now() + 3000;
    while ((server.listener.connections > 0 || open > 0) && Date.now() < over)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect({ connections: server.listener.connections, open }).toEqual({ connections: 0, open: 0 });
  });

  it('is told of within 100 ms, with the time in between not blocked by the answer', async () => {
    let leftAt = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    let begun = () => {};
    const begin = new Promise<void>((go) => {
      begun = go;
    });
    server = await startListener((down) => {
      down.left = () => {
        leftAt = performance.now();
        resolve();
      };
      begun();
    });
    const client = new RawClient(server.port).send(GET);
    await begin;
    const wentAt = performance.now();
    client.destroy();
    await promise;
    expect(leftAt - wentAt).toBeLessThan(100);
  });

  it('takes its pipelined requests with it', async () => {
    const served: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    server = await startListener((down) => {
      served.push(down.head.path);
      down.closed = () => resolve();
    });
    const client = new RawClient(server.port).send(GET + GET.replace('/', '/second'));
    while (served.length === 0) await new Promise((go) => setImmediate(go));
    client.destroy();
    await promise;
    await new Promise((go) => setImmediate(go));
    expect(served).toEqual(['/']);
  });
});

describe('an upgrade', () => {
  it('is accepted and gives the raw connection, the early bytes included', async () => {
    const sockets = new WebSocketServer({ noServer: true });
    const { promise: ended, resolve: end } = Promise.withResolvers<[string, number, number]>();
    server = await startListener((down: Downstream) => {
      expect(down.upgrade).toBe(true);
      expect(down.head.fields.upgrade).toBe(undefined);
      down.closed = (how, inBytes, outBytes) => end([how, inBytes, outBytes]);
      // The other end of a tunnel: its 101 is taken off, since accept writes our own.
      const key = down.head.fields['sec-websocket-key'] as string;
      import('node:crypto').then(({ createHash }) => {
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        const duplex = down.accept({ status: 101, fields: fields({ 'sec-websocket-accept': accept }) });
        const ws = new WebSocket(null as never, undefined, {}) as WebSocket & {
          setSocket(socket: unknown, head: Buffer, options: object): void;
        };
        Object.assign(ws, { _isServer: true });
        ws.setSocket(duplex, Buffer.alloc(0), {
          maxPayload: 1e6,
          skipUTF8Validation: false,
          allowSynchronousEvents: true,
        });
        ws.on('message', (data) => ws.send(`echo ${data}`));
      });
    });
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}/socket`);
    await once(ws, 'open');
    ws.send('hello');
    const [message] = (await once(ws, 'message')) as [Buffer];
    expect(message.toString()).toBe('echo hello');
    ws.close();
    const [how, inBytes, outBytes] = await ended;
    expect(how).toBe('sent');
    expect(inBytes).toBeGreaterThan(5);
    expect(outBytes).toBeGreaterThan(10);
    sockets.close();
  });

  it('may be answered like any request, and is closed after it', async () => {
    server = await startListener((down) => answer(down, 'no', 401));
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}/`);
    ws.on('error', () => {});
    const [, res] = await once(ws, 'unexpected-response');
    expect(res.statusCode).toBe(401);
    expect(res.headers.connection).toBe('close');
  });

  it('behind an unfinished request is refused, after that one is answered', async () => {
    server = await startListener((down) => setImmediate(() => answer(down, down.head.path)));
    const client = new RawClient(server.port).send(
      `${GET}GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    expect(await client.answer()).toMatchObject({ status: 200, body: '/' });
    expect(await client.answer()).toMatchObject({ status: 400 });
    expect(await client.closes()).toBe(true);
    client.destroy();
  });

  it('whose client leaves before the answer is told of', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let begun = () => {};
    const begin = new Promise<void>((go) => {
      begun = go;
    });
    server = await startListener((down) => {
      down.closed = (how) => resolve(how);
      begun();
    });
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}/`);
    ws.on('error', () => {});
    await begin;
    ws.terminate();
    expect(await promise).toBe('left');
  });
});

describe('pipelined requests', () => {
  it('before a malformed one are answered, and that one refused in its turn', async () => {
    server = await startListener((down) => setImmediate(() => answer(down, down.head.path)));
    const client = new RawClient(server.port).send(`${GET}${GET.replace('/', '/2')}BAD / HTTP/1.1\r\n\r\n`);
    expect((await client.answer()).body).toBe('/');
    expect((await client.answer()).body).toBe('/2');
    expect((await client.answer()).status).toBe(400);
    expect(await client.closes()).toBe(true);
    client.destroy();
  });

  it('with bodies are served in their order', async () => {
    server = await startListener(mirror);
    const client = new RawClient(server.port);
    const post = (body: string) =>
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    client.send(post('one') + post('two') + post('three'));
    for (const body of ['one', 'two', 'three'])
      expect(JSON.parse((await client.answer()).body)).toMatchObject({ body });
    client.destroy();
  });
});
