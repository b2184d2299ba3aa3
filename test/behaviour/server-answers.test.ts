/** How answers look on the wire: framing by version, interim answers, and ends that must not look whole. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { gatewayError } from '../../src/kernel/errors.ts';
import { RawClient } from '../kit/raw.ts';
import { answer, fields, startListener, type TestListener } from '../kit/server.ts';

let server: TestListener;
afterEach(() => server.stop());

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OLD = 'GET / HTTP/1.0\r\n\r\n';

describe('to HTTP/1.0', () => {
  it('a body of unknown length is sent plain and ended by closing', async () => {
    server = await startListener((down) => {
      const sink = down.reply({ status: 200, fields: fields({ trailer: 'x-sum' }) }, null);
      sink.write(Buffer.from('hel'));
      sink.write(Buffer.from('lo'));
      sink.end(fields({ 'x-sum': '1' }));
    });
    const client = new RawClient(server.port).send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const got = await client.answer();
    expect(got).toMatchObject({ status: 200, body: 'hello', whole: true });
    expect(got.fields['transfer-encoding']).toBe(undefined);
    expect(got.fields.connection).toBe('close');
    client.destroy();
  });

  it('a body that fails is cut by a reset, since a close would look whole', async () => {
    server = await startListener((down) => {
      const sink = down.reply({ status: 200, fields: fields() }, null);
      sink.write(Buffer.from('hello'));
      setTimeout(() => sink.fail(gatewayError('GW_UPSTREAM_CUT')), 20);
    });
    const client = new RawClient(server.port).send(OLD);
    expect((await client.answer()).whole).toBe(false);
    expect(client.error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('no interim answer is sent', async () => {
    server = await startListener((down) => {
      down.inform(103, fields({ link: 'x' }));
      answer(down, 'ok');
    });
    const client = new RawClient(server.port).send(OLD);
    expect((await client.answer('GET', true)).status).toBe(200);
    client.destroy();
  });
});

describe('to HTTP/1.1', () => {
  it('interim answers come before the final one; 100 and 101 are not passed on', async () => {
    server = await startListener((down) => {
      down.inform(100, fields());
      down.inform(101, fields());
      down.inform(103, fields({ link: '</a>', connection: 'close', 'content-length': '5' }));
      down.inform(103, fields({ 'x-a': 'b\r\n\r\nHTTP/1.1 200 OK' }));
      answer(down, 'ok');
      down.inform(103, fields());
    });
    const client = new RawClient(server.port).send(GET);
    const first = await client.answer('GET', true);
    expect(first).toMatchObject({ status: 103, fields: { link: '</a>' } });
    expect(first.fields['content-length']).toBe(undefined);
    expect(first.fields.connection).toBe(undefined);
    expect(await client.answer('GET', true)).toMatchObject({ status: 200, body: 'ok' });
    expect(client.text).toBe('');
    client.destroy();
  });

  it('a chunked body that fails has no last chunk', async () => {
    server = await startListener((down) => {
      const sink = down.reply({ status: 200, fields: fields() }, null);
      sink.write(Buffer.from('hello'));
      setTimeout(() => sink.fail(gatewayError('GW_UPSTREAM_CUT')), 20);
    });
    const client = new RawClient(server.port).send(GET);
    const got = await client.answer();
    expect(got).toMatchObject({ status: 200, body: 'hello', whole: false });
    expect(client.text).not.toContain('0\r\n\r\n');
  });

  it('a body that fails after its last byte still cuts the connection', async () => {
    server = await startListener((down) => {
      const sink = down.reply({ status: 200, fields: fields() }, 5);
      sink.write(Buffer.from('hello'));
      sink.fail(gatewayError('GW_UPSTREAM_CUT'));
    });
    const client = new RawClient(server.port).send(GET + GET);
    expect(await client.closes()).toBe(true);
    expect(client.text.split('HTTP/1.1').length).toBeLessThan(3);
  });

  it('head and small body leave in one piece', async () => {
    server = await startListener((down) => answer(down, 'x'.repeat(1000)));
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    socket.write(GET);
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString('latin1').endsWith('x'.repeat(1000))).toBe(true);
    socket.destroy();
  });

  it('every byte of a body survives the joined write', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    server = await startListener((down) => {
      const sink = down.reply({ status: 200, fields: fields() }, 256);
      sink.write(new Uint8Array(bytes));
      sink.end(null);
    });
    const client = new RawClient(server.port).send(GET);
    expect(Buffer.from((await client.answer()).body, 'latin1').equals(bytes)).toBe(true);
    client.destroy();
  });

  it('a file name above ASCII is passed on as it came', async () => {
    const name = `attachment; filename="${Buffer.from('Ċé.txt').toString('latin1')}"`;
    server = await startListener((down) =>
      answer(down, 'x', 200, { 'content-length': '1', 'content-disposition': name }),
    );
    const client = new RawClient(server.port).send(GET);
    expect((await client.answer()).fields['content-disposition']).toBe(name);
    client.destroy();
  });

  it.each([
    ['a CR and LF in a value', 200, { 'x-a': 'b\r\nx-b: c' }],
    ['a bare LF in a value', 200, { 'x-a': 'b\nx-b: c' }],
    ['a NUL in a value', 200, { 'x-a': 'b\0' }],
    ['a sign above Latin-1 in a value', 200, { 'x-a': '\u010a' }],
    ['a CR and LF in one of many values', 200, { 'set-cookie': ['a=b', 'c=d\r\nx-b: c'] }],
    ['a colon in a name', 200, { 'x:a': 'b' }],
    ['a CR and LF in a name', 200, { 'x\r\nx-b': 'c' }],
    ['an empty name', 200, { '': 'c' }],
    ['a status that is none', 1000, {}],
  ])('an answer with %s is replaced by 502, told of, and closed', async (_name, status, extra) => {
    server = await startListener((down) => answer(down, 'secret', status, extra as Record<string, string>));
    const client = new RawClient(server.port).send(GET);
    const got = await client.answer();
    expect(got).toMatchObject({ status: 502, whole: true, fields: { connection: 'close' } });
    expect(got.fields['x-b']).toBe(undefined);
    expect(got.body).not.toContain('secret');
    expect(await client.closes()).toBe(true);
    expect(client.text).toBe('');
    expect(server.refusals.map((error) => error.code)).toEqual(['GW_UPSTREAM_PROTOCOL']);
    client.destroy();
  });

  it('a large early answer is read whole by a slow client that is still sending', async () => {
    const bytes = 8 * 1024 * 1024;
    server = await startListener((down) => {
      const sink = down.reply({ status: 413, fields: fields() }, bytes);
      sink.write(Buffer.alloc(bytes));
      // The end comes after node:http has seen the last byte leave.
      setTimeout(() => sink.end(null), 50);
    });
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let failed: Error | null = null;
    socket.on('error', (error) => {
      failed = error;
    });
    socket.pause();
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n');
    await once(socket, 'readable');
    socket.write(Buffer.alloc(128 * 1024));
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
    });
    socket.resume();
    await once(socket, 'end');
    expect(got).toBeGreaterThan(bytes);
    expect(failed).toBe(null);
    socket.destroy();
  });
});

describe('an upgrade', () => {
  it('gives what the client sent behind its head to the tunnel', async () => {
    server = await startListener((down) => {
      const duplex = down.accept({ status: 101, fields: fields({ 'sec-websocket-accept': 'x' }) });
      duplex.on('data', (chunk) => duplex.write(`got ${chunk}`));
    });
    const client = new RawClient(server.port).send(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly',
    );
    expect(await client.answer()).toMatchObject({
      status: 101,
      fields: { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': 'x' },
    });
    expect(await client.until(() => client.text === 'got early')).toBe(true);
    client.destroy();
  });
});

describe('pipelined requests', () => {
  it('beyond a bound cost the connection', async () => {
    let served = 0;
    server = await startListener(() => {
      served++;
    });
    const client = new RawClient(server.port).send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000));
    expect(await client.closes()).toBe(true);
    expect(served).toBe(1);
    expect(server.refusals.map((error) => error.code)).toEqual(['GW_BAD_REQUEST']);
    client.destroy();
  });
});
