/** The listener serves plain requests over HTTP/1.1 and HTTP/1.0. */
import { afterEach, describe, expect, it } from 'vitest';
import { RawClient } from '../kit/raw.ts';
import { answer, mirror, startListener, type TestListener } from '../kit/server.ts';

let server: TestListener;
afterEach(() => server.stop());

describe('a plain request', () => {
  it('is answered, and the connection carries the next one', async () => {
    server = await startListener((down) => answer(down, down.head.path));
    const client = new RawClient(server.port);
    client.send('GET /one HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.answer()).toMatchObject({ status: 200, body: '/one' });
    client.send('GET /two?q=1 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.answer()).toMatchObject({ status: 200, body: '/two' });
    expect(client.ended).toBe(false);
    client.destroy();
  });

  it('brings its body, by length and by chunks, with trailers', async () => {
    server = await startListener(mirror);
    const client = new RawClient(server.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ method: 'POST', body: 'hello' });
    client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n',
    );
    expect(JSON.parse((await client.answer()).body)).toMatchObject({
      body: 'hello',
      trailers: { 'x-sum': '1' },
    });
    client.destroy();
  });

  it('waits for its turn when pipelined', async () => {
    server = await startListener((down) => setImmediate(() => answer(down, down.head.path)));
    const client = new RawClient(server.port);
    client.send(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    for (const path of ['/1', '/2', '/3']) expect((await client.answer()).body).toBe(path);
    client.destroy();
  });

  it('of HTTP/1.0 is answered and closed, or kept when asked', async () => {
    server = await startListener(mirror);
    const client = new RawClient(server.port);
    client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(JSON.parse((await client.answer()).body)).toMatchObject({
      version: '1.0',
      authority: `127.0.0.1:${server.port}`,
    });
    client.send('GET / HTTP/1.0\r\n\r\n');
    expect((await client.answer()).status).toBe(200);
    expect(await client.closes()).toBe(true);
    client.destroy();
  });
});
