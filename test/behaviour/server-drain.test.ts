/** Draining: idle connections close at once, answers are finished, what lasts too long is cut. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Closing, Downstream } from '../../src/wire/downstream.ts';
import { RawClient } from '../kit/raw.ts';
import { answer, fields, mirror, startListener, type TestListener } from '../kit/server.ts';

let server: TestListener;
afterEach(() => server.stop());

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** A listener that hands each exchange to the test. */
const holding = async () => {
  const held: Downstream[] = [];
  let wake = () => {};
  server = await startListener((down) => {
    held.push(down);
    wake();
  });
  return async (count: number) => {
    while (held.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return held;
  };
};

describe('drain', () => {
  it('closes idle connections at once and takes no new ones', async () => {
    server = await startListener(mirror);
    const clients = Array.from({ length: 20 }, () => new RawClient(server.port));
    for (const client of clients) expect((await client.send(GET).answer()).status).toBe(200);
    expect(server.listener.connections).toBe(20);
    const began = performance.now();
    await server.listener.drain(5000);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(server.listener.connections).toBe(0);
    for (const client of clients) expect(await client.closes()).toBe(true);
    const late = connect({ port: server.port, host: '127.0.0.1' });
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  it('finishes what runs, says close, and resolves after the last byte', async () => {
    const arrived = await holding();
    const client = new RawClient(server.port).send(GET);
    const [down] = await arrived(1);
    let drained = false;
    const drain = server.listener.drain(5000).then(() => {
      drained = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(drained).toBe(false);
    answer(down!, 'finished');
    expect(await client.answer()).toMatchObject({
      status: 200,
      body: 'finished',
      fields: { connection: 'close' },
    });
    client.destroy();
    await drain;
  });

  it('serves a connection that was made just before', async () => {
    server = await startListener(mirror);
    const client = new RawClient(server.port);
    await once(client.socket, 'connect');
    await client.until(() => server.listener.connections === 1, 200);
    const drain = server.listener.drain(5000);
    expect(await client.send(GET).answer()).toMatchObject({ status: 200, fields: { connection: 'close' } });
    client.destroy();
    await drain;
  });

  it('cuts what is not done after the grace', async () => {
    const arrived = await holding();
    const client = new RawClient(server.port).send(GET);
    const [down] = await arrived(1);
    const told: (string | Closing)[] = [];
    down!.left = () => told.push('left');
    down!.closed = (how) => told.push(how);
    const began = performance.now();
    await server.listener.drain(200);
    expect(performance.now() - began).toBeGreaterThan(190);
    expect(told).toEqual(['left', 'cut']);
    expect(await client.closes()).toBe(true);
    expect(client.text).toBe('');
  });

  it('lets a slow reader have the end of its answer', async () => {
    const bytes = 16 * 1024 * 1024;
    server = await startListener((down) => {
      const sink = down.reply({ status: 200, fields: fields() }, bytes);
      sink.write(Buffer.alloc(bytes));
      sink.end(null);
    });
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.pause();
    socket.write(GET);
    await once(socket, 'readable');
    const drain = server.listener.drain(10_000);
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
    });
    socket.resume();
    await once(socket, 'end');
    socket.destroy();
    expect(got).toBeGreaterThan(bytes);
    await drain;
  });

  it('ends upgraded connections at the end of the grace', async () => {
    const arrived = await holding();
    const client = new RawClient(server.port).send(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const [down] = await arrived(1);
    down!.accept({ status: 101, fields: fields() });
    expect((await client.answer()).status).toBe(101);
    const drain = server.listener.drain(200);
    expect(await client.closes()).toBe(true);
    await drain;
    expect(server.listener.connections).toBe(0);
  });
});
