/** What is left of a request body after an early answer: drained when small, else the connection ends gently. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../kit/raw.ts';
import { answer, fields, startListener, type TestListener } from '../kit/server.ts';

let server: TestListener;
afterEach(() => server.stop());

const early = () =>
  startListener((down) => answer(down, `early ${down.head.path}`, down.head.path === '/' ? 401 : 200));
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n';

describe('an early answer', () => {
  it('keeps the connection when at most 64 KiB are left, wherever they are cut', async () => {
    server = await early();
    const client = new RawClient(server.port);
    for (const first of [0, 1, 30_000, 65_536]) {
      client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n${'x'.repeat(first)}`);
      const got = await client.answer();
      expect(got).toMatchObject({ status: 401, body: 'early /', whole: true });
      expect(got.fields.connection).not.toBe('close');
      client.send('x'.repeat(65_536 - first) + NEXT);
      expect((await client.answer()).body).toBe('early /next');
    }
    client.destroy();
  });

  it('closes the connection when more is left, and says so', async () => {
    server = await early();
    const client = new RawClient(server.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n`);
    expect((await client.answer()).fields.connection).toBe('close');
    expect(await client.closes()).toBe(true);
    client.destroy();
  });

  it('closes after a rest that does not come', async () => {
    server = await early();
    const client = new RawClient(server.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n`);
    expect((await client.answer()).status).toBe(401);
    expect(client.ended).toBe(false);
    expect(await client.closes(3000)).toBe(true);
    client.destroy();
  });

  it.each([
    ['by length', (bytes: number) => [`Content-Length: ${bytes}`, ''] as const],
    ['by chunks', (bytes: number) => ['Transfer-Encoding: chunked', `${bytes.toString(16)}\r\n`] as const],
  ])('is read whole by a client that goes on sending %s', async (_name, framing) => {
    server = await early();
    const [field, prefix] = framing(100 * 1024 * 1024);
    // This client reads nothing before it has sent a lot: a reset would take the answer from it.
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let failed: Error | null = null;
    socket.on('error', (error) => {
      failed = error;
    });
    socket.pause();
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n${prefix}`);
    for (let at = 0; at < 12; at++) {
      if (!socket.write(Buffer.alloc(64 * 1024))) await once(socket, 'drain');
    }
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.resume();
    await once(socket, 'end');
    expect(text).toContain('401');
    expect(text).toContain('connection: close');
    expect(text.endsWith('early /')).toBe(true);
    expect(failed).toBe(null);
    socket.destroy();
  });

  it('reads at most about 1 MiB more, and then cuts', async () => {
    server = await early();
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.resume();
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n`);
    const pump = () => {
      while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024)));
    };
    socket.on('drain', pump);
    const began = performance.now();
    pump();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(performance.now() - began).toBeLessThan(1500);
  });

  it('cuts a client that drips after it, within about 2 s', async () => {
    server = await early();
    const client = new RawClient(server.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n`);
    expect((await client.answer()).status).toBe(401);
    const closed = new Promise((resolve) => client.socket.once('close', resolve));
    const drip = setInterval(() => client.send('x'), 50);
    const began = performance.now();
    await closed;
    clearInterval(drip);
    expect(performance.now() - began).toBeLessThan(3500);
  });

  it('closes when the client still waits for 100', async () => {
    server = await early();
    const client = new RawClient(server.port);
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
    const got = await client.answer('GET', true);
    expect(got).toMatchObject({ status: 401, fields: { connection: 'close' } });
    expect(await client.closes()).toBe(true);
    client.destroy();
  });

  it('keeps the connection when a chunked body came whole with its head', async () => {
    server = await early();
    const client = new RawClient(server.port);
    for (let at = 0; at < 3; at++) {
      client.send(
        `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${NEXT}`,
      );
      const got = await client.answer();
      expect(got).toMatchObject({ status: 401, body: 'early /' });
      expect(got.fields.connection).not.toBe('close');
      expect((await client.answer()).body).toBe('early /next');
    }
    client.destroy();
  });

  it('without a body keeps the connection as well', async () => {
    server = await startListener((down) => {
      const empty = down.head.path === '/none' ? 204 : 200;
      down.reply({ status: empty, fields: fields() }, down.head.method === 'HEAD' ? null : 0).end(null);
    });
    const client = new RawClient(server.port);
    for (const line of ['POST /none', 'POST /', 'HEAD /']) {
      client.send(`${line} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`);
      const got = await client.answer(line.split(' ')[0]);
      expect(got).toMatchObject({ body: '', whole: true });
      expect(got.fields.connection).not.toBe('close');
    }
    client.destroy();
  });

  it('is never followed by an answer to what stands behind an unfinished chunked body', async () => {
    server = await early();
    const client = new RawClient(server.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    expect(await client.answer()).toMatchObject({ status: 401, fields: { connection: 'close' } });
    client.send(`0\r\n\r\n${NEXT}`);
    expect(await client.closes()).toBe(true);
    expect(client.text).toBe('');
    client.destroy();
  });
});

describe('100 Continue', () => {
  it('is sent at the first read of the body, not before', async () => {
    let read: (() => void) | null = null;
    server = await startListener((down) => {
      read = () =>
        down.body?.read({
          ready: null,
          write: () => true,
          end: () => answer(down, 'done'),
          fail: () => down.abort(),
        });
      if (down.head.path === '/now') read();
    });
    const client = new RawClient(server.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    while (read === null) await new Promise((resolve) => setImmediate(resolve));
    expect(client.text).toBe('');
    (read as () => void)();
    expect((await client.answer('GET', true)).status).toBe(100);
    client.send('hello');
    expect(await client.answer()).toMatchObject({ status: 200, body: 'done' });
    client.send(NEXT.replace('/next', '/now'));
    client.destroy();
  });
});
