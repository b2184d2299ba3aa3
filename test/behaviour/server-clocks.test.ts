/** Slow heads, slow bodies, idle connections and clients that never read are cut in time. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { gatewayError } from '../../src/kernel/errors.ts';
import type { Closing } from '../../src/wire/downstream.ts';
import { RawClient } from '../kit/raw.ts';
import { answer, fields, mirror, startListener, type TestListener } from '../kit/server.ts';

let server: TestListener;
afterEach(() => server.stop());

describe('the head', () => {
  it.each([
    ['never begins', ''],
    ['stops in the request line', 'GET /'],
    ['stops in a field', 'GET / HTTP/1.1\r\nHost: a\r\nX-'],
  ])('that %s is answered 408 and cut', async (_name, bytes) => {
    server = await startListener(mirror, {}, { headersMs: 100 });
    const client = new RawClient(server.port);
    client.send(bytes);
    const got = await client.answer();
    expect(got.status).toBe(408);
    expect(JSON.parse(got.body)).toMatchObject({ code: 'GW_REQUEST_TIMEOUT' });
    expect(await client.closes()).toBe(true);
    expect(server.refusals.map((error) => error.code)).toEqual(['GW_REQUEST_TIMEOUT']);
    client.destroy();
  });

  it('that drips in is cut all the same', async () => {
    server = await startListener(mirror, {}, { headersMs: 200 });
    const client = new RawClient(server.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n');
    const drip = setInterval(() => client.send('X: y\r\n'), 20);
    expect((await client.answer()).status).toBe(408);
    clearInterval(drip);
    client.destroy();
  });
});

describe('an idle connection', () => {
  it('is closed without a word', async () => {
    server = await startListener(mirror, {}, { keepAliveMs: 100 });
    const client = new RawClient(server.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.answer()).status).toBe(200);
    expect(await client.closes()).toBe(true);
    expect(client.text).toBe('');
    expect(server.refusals).toEqual([]);
    client.destroy();
  });

  it('that drips empty lines is cut', async () => {
    server = await startListener(mirror, {}, { keepAliveMs: 100, headersMs: 200 });
    const client = new RawClient(server.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.answer()).status).toBe(200);
    const drip = setInterval(() => client.send('\r\n'), 10);
    expect(await client.closes(2000)).toBe(true);
    clearInterval(drip);
    client.destroy();
  });

  it('is served when the next request comes in time', async () => {
    server = await startListener(mirror, {}, { keepAliveMs: 2000 });
    const client = new RawClient(server.port);
    for (let at = 0; at < 5; at++) {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
    }
    client.destroy();
  });
});

describe('the body', () => {
  it('that stalls fails its reader with 408, which answers', async () => {
    server = await startListener(mirror, {}, { bodyIdleMs: 100 });
    const client = new RawClient(server.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    const got = await client.answer();
    expect(got).toMatchObject({ status: 408, fields: { connection: 'close' } });
    expect(JSON.parse(got.body)).toMatchObject({ code: 'GW_REQUEST_TIMEOUT' });
    expect(await client.closes()).toBe(true);
    client.destroy();
  });

  it('that stalls is answered by the listener where nobody else does', async () => {
    const ends: Closing[] = [];
    server = await startListener(
      (down) => {
        down.closed = (how) => ends.push(how);
        down.body?.read({ ready: null, write: () => true, end() {}, fail() {} });
      },
      {},
      { bodyIdleMs: 50 },
    );
    const client = new RawClient(server.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello');
    expect((await client.answer()).status).toBe(408);
    expect(await client.closes()).toBe(true);
    expect(ends).toEqual(['sent']);
    client.destroy();
  });

  it('that comes slowly but steadily is not late', async () => {
    server = await startListener(mirror, {}, { bodyIdleMs: 200 });
    const client = new RawClient(server.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
    let sent = 0;
    const drip = setInterval(() => {
      client.send('x');
      if (++sent === 10) clearInterval(drip);
    }, 50);
    expect(await client.answer()).toMatchObject({ status: 200 });
    client.destroy();
  });

  it('is not late while its reader holds it back', async () => {
    const codes: string[] = [];
    server = await startListener(
      (down) => {
        const sink = {
          ready: null as (() => void) | null,
          write: () => {
            setTimeout(() => {
              codes.push('released');
              sink.ready?.();
            }, 300);
            return false;
          },
          end: () => answer(down, 'whole'),
          fail: (error: { code: string }) => {
            codes.push(error.code);
            down.abort();
          },
        };
        down.body?.read(sink);
      },
      {},
      { bodyIdleMs: 100 },
    );
    const client = new RawClient(server.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    expect((await client.answer()).body).toBe('whole');
    expect(codes).toEqual(['released']);
    client.destroy();
  });
});

describe('a client that never reads', () => {
  it.each([
    ['a body of known length', 64 * 1024 * 1024],
    ['a body of unknown length', null],
  ])('is cut while it is sent %s', async (_name, length) => {
    let ended: (how: Closing) => void;
    const end = new Promise<Closing>((resolve) => {
      ended = resolve;
    });
    let refused = 0;
    server = await startListener(
      (down) => {
        down.closed = (how) => ended(how);
        const sink = down.reply({ status: 200, fields: fields() }, length);
        const chunk = Buffer.alloc(1024 * 1024);
        let left = 64;
        const go = () => {
          while (left > 0) {
            left--;
            if (!sink.write(chunk)) {
              refused++;
              return;
            }
          }
          sink.end(null);
        };
        sink.ready = go;
        down.left = () => sink.fail(gatewayError('GW_CLIENT_LEFT'));
        go();
      },
      {},
      { writeIdleMs: 200 },
    );
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await end).toBe('cut');
    expect(refused).toBeGreaterThan(0);
    // Held back: most of it was never taken from the writer.
    expect(refused).toBeLessThan(60);
    socket.destroy();
  });

  it('is cut when only the last bytes are left', async () => {
    let ended: (how: Closing) => void;
    const end = new Promise<Closing>((resolve) => {
      ended = resolve;
    });
    server = await startListener(
      (down) => {
        down.closed = (how) => ended(how);
        const big = Buffer.alloc(32 * 1024 * 1024);
        const sink = down.reply({ status: 200, fields: fields() }, big.length);
        sink.write(big);
        sink.end(null);
      },
      {},
      { writeIdleMs: 200 },
    );
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'connect');
    expect(await end).toBe('cut');
    socket.destroy();
  });
});
