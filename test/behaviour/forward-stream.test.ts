import { createHash } from 'node:crypto';
import http from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import {
  eventually,
  RawClient,
  startGateway,
  startHttpOrigin,
  startRawOrigin,
  type TestGateway,
  type TestOrigin,
} from '../kit/proxy-gateway.ts';

const MIB = 1024 ** 2;

let gateway: TestGateway;
let origin: TestOrigin;

afterEach(async () => {
  await gateway.close();
  await origin.close();
});

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('both directions flow at once, unchanged', async () => {
  origin = await startHttpOrigin((request, response) => void request.pipe(response));
  gateway = await startGateway(origin.port);
  const sent = createHash('sha256');
  const got = createHash('sha256');
  let gotBytes = 0;
  await new Promise<void>((resolve, reject) => {
    const request = http.request(
      { port: gateway.port, host: '127.0.0.1', method: 'POST', agent: false },
      (response) => {
        response.on('data', (chunk: Buffer) => {
          gotBytes += chunk.length;
          got.update(chunk);
        });
        response.on('end', resolve);
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    let left = 64;
    const more = () => {
      while (left > 0) {
        const chunk = Buffer.alloc(65_537, left--);
        sent.update(chunk);
        if (!request.write(chunk)) {
          request.once('drain', more);
          return;
        }
      }
      request.end();
    };
    more();
  });
  expect(gotBytes).toBe(64 * 65_537);
  expect(got.digest('hex')).toBe(sent.digest('hex'));
  const { how, inBytes, outBytes, x } = await gateway.finished();
  expect({ how, inBytes, outBytes, error: x.error }).toEqual({
    how: 'sent',
    inBytes: gotBytes,
    outBytes: gotBytes,
    error: null,
  });
});

test('the first byte comes before the last is made', async () => {
  let finish = () => {};
  origin = await startHttpOrigin((_request, response) => {
    response.write('first');
    finish = () => response.end('last');
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port).send(GET);
  await client.untilText('first');
  finish();
  await client.untilText('last');
  client.socket.destroy();
});

/** Writes until told to stop by back-pressure; gives the bytes that were taken. */
const pour = (socket: Socket, totalBytes: number): (() => number) => {
  const chunk = Buffer.alloc(65_536, 120);
  let written = 0;
  const more = () => {
    while (written < totalBytes) {
      written += chunk.length;
      if (!socket.write(chunk)) {
        socket.once('drain', more);
        return;
      }
    }
  };
  more();
  return () => written;
};

/** Waits until the number stays the same for a while: the pipe is full. */
const settledAt = async (count: () => number): Promise<number> => {
  for (let before = -1; ; ) {
    const now = count();
    if (now === before && now > 0) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};

test('a client that does not read holds the upstream back, and memory stays', async () => {
  const totalBytes = 128 * MIB;
  let written = () => 0;
  origin = await startRawOrigin((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${totalBytes}\r\n\r\n`);
    written = pour(socket, totalBytes);
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  client.socket.pause();
  client.send(GET);
  const before = process.memoryUsage().arrayBuffers;
  expect(await settledAt(() => written())).toBeLessThan(48 * MIB);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB);

  // And it all comes once the client reads.
  let got = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk) => {
    got += chunk.length;
  });
  client.socket.resume();
  await eventually(() => got >= totalBytes);
  const { how, outBytes } = await gateway.finished();
  expect(how).toBe('sent');
  expect(outBytes).toBe(totalBytes);
  client.socket.destroy();
});

test('an upstream that does not read holds the client back', async () => {
  const totalBytes = 128 * MIB;
  let upstream: Socket | null = null;
  origin = await startRawOrigin((socket) => {
    upstream = socket;
    socket.pause();
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${totalBytes}\r\n\r\n`);
  const written = pour(client.socket, totalBytes);
  await eventually(() => upstream !== null);
  expect(await settledAt(written)).toBeLessThan(48 * MIB);
  client.socket.destroy();
});

test.each(['before the head', 'in the middle of the body'])(
  'a client that leaves %s ends the upstream’s work',
  async (when) => {
    const before = when === 'before the head';
    let closed = false;
    origin = await startRawOrigin((socket) => {
      socket.on('close', () => {
        closed = true;
      });
      if (!before) socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n');
    });
    gateway = await startGateway(origin.port);
    const client = new RawClient(gateway.port).send(GET);
    if (before) await eventually(() => origin.sockets.size === 1 && gateway.exchanges.length === 1);
    else await client.untilText('hello');
    const { signal } = gateway.exchanges[0]!;
    client.socket.destroy();
    const { x, how } = await gateway.finished();
    await eventually(() => closed);
    expect(how).toBe('left');
    expect(x.error?.code).toBe('GW_CLIENT_LEFT');
    expect(x.left).toBe(true);
    expect(signal.aborted).toBe(true);
  },
);

test.each([
  ['resets', 'left'],
  ['closes its side', 'left'],
])('a client that %s in the middle of its own body ends the upstream’s work', async (way, how) => {
  let closed = false;
  origin = await startRawOrigin((socket) => {
    socket.on('close', () => {
      closed = true;
    });
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf');
  await eventually(() => origin.sockets.size === 1);
  if (way === 'resets') client.socket.resetAndDestroy();
  else client.socket.end();
  const finished = await gateway.finished();
  await eventually(() => closed);
  expect(finished.how).toBe(how);
  expect(finished.x.error?.source).toBe('client');
  client.socket.destroy();
});

test.each([
  ['a declared length', 'content-length: 100', 'half', 'half'],
  ['chunks', 'transfer-encoding: chunked', '4\r\nhalf\r\n', '4\r\nhalf\r\n'],
])('an upstream that dies in the middle of %s never looks whole', async (_of, framing, sent, seen) => {
  origin = await startRawOrigin((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${sent}`, () =>
      setTimeout(() => socket.resetAndDestroy(), 20),
    );
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port).send(GET);
  await client.untilClosed();
  expect(client.text).toMatch(/^HTTP\/1\.1 200 /);
  expect(client.text.endsWith(seen)).toBe(true);
  const { x, how } = await gateway.finished();
  expect(how).toBe('cut');
  expect(x.error?.code).toBe('GW_UPSTREAM_CUT');
  expect(x.status).toBe(200);
});

test('an upstream that dies before its head is a 502', async () => {
  origin = await startRawOrigin((socket) => socket.resetAndDestroy());
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port).send(GET);
  await client.untilText('GW_UPSTREAM_RESET');
  expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
  expect(gateway.exchanges[0]!.attempts).toHaveLength(1);
  client.socket.destroy();
});

test('the whole time ends even an answer that still flows', async () => {
  let closed = false;
  origin = await startRawOrigin((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    const timer = setInterval(() => socket.write('1\r\nx\r\n'), 10);
    socket.on('close', () => {
      clearInterval(timer);
      closed = true;
    });
  });
  gateway = await startGateway(origin.port, { maxDurationMs: 200 });
  const client = new RawClient(gateway.port).send(GET);
  await client.untilClosed();
  expect(client.text).not.toContain('\r\n0\r\n');
  const { x, how } = await gateway.finished();
  expect(how).toBe('cut');
  expect(x.error?.code).toBe('GW_TIMEOUT');
  await eventually(() => closed);
});

test('the time to the head is a 504', async () => {
  origin = await startRawOrigin(() => {});
  gateway = await startGateway(origin.port, { timeoutMs: 100 });
  const client = new RawClient(gateway.port).send(GET);
  await client.untilText('GW_TIMEOUT');
  expect(client.text).toMatch(/^HTTP\/1\.1 504 /);
  client.socket.destroy();
});

test('a declared body past the limit is refused without a word to the upstream', async () => {
  origin = await startRawOrigin(() => {});
  gateway = await startGateway(origin.port, { bodyLimitBytes: 10 });
  const client = new RawClient(gateway.port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello worl!');
  await client.untilText('GW_BODY_TOO_LARGE');
  expect(client.text).toMatch(/^HTTP\/1\.1 413 /);
  expect(origin.sockets.size).toBe(0);
  client.socket.destroy();
});

test('a chunked body past the limit is a 413 once it is past it', async () => {
  let closed = false;
  origin = await startRawOrigin((socket) => {
    socket.on('close', () => {
      closed = true;
    });
  });
  gateway = await startGateway(origin.port, { bodyLimitBytes: 10 });
  const client = new RawClient(gateway.port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  await eventually(() => origin.sockets.size === 1);
  expect(client.text).toBe('');
  client.send('6\r\n worl!\r\n');
  await client.untilText('GW_BODY_TOO_LARGE');
  expect(client.text).toMatch(/^HTTP\/1\.1 413 /);
  await eventually(() => closed);
  client.socket.destroy();
});

test('a chunked body past the limit cuts an answer that has begun', async () => {
  origin = await startRawOrigin((socket) =>
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'),
  );
  gateway = await startGateway(origin.port, { bodyLimitBytes: 10 });
  const client = new RawClient(gateway.port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  await client.untilText('\r\nhello\r\n');
  client.send('6\r\n worl!\r\n');
  await client.untilClosed();
  expect(client.text.endsWith('5\r\nhello\r\n')).toBe(true);
  const { x, how } = await gateway.finished();
  expect(how).toBe('cut');
  expect(x.error?.code).toBe('GW_BODY_TOO_LARGE');
});

test('an answer that comes before the body is through reaches a client that still sends', async () => {
  origin = await startRawOrigin((socket) => {
    socket.write('HTTP/1.1 401 Unauthorized\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnope');
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${4 * MIB}\r\n\r\n`);
  pour(client.socket, 4 * MIB);
  await client.untilText('nope');
  expect(client.text).toMatch(/^HTTP\/1\.1 401 /);
  const { x } = await gateway.finished();
  expect(x).toMatchObject({ status: 401, error: null });
  client.socket.destroy();
});

test('a stage that throws on the request is a 500, and takes nothing else with it', async () => {
  origin = await startRawOrigin(() => {});
  gateway = await startGateway(origin.port, {
    before: (x) =>
      x.mapRequest(() => ({
        ready: null,
        write: () => {
          throw new Error('boom');
        },
        end() {},
        fail() {},
      })),
  });
  const client = new RawClient(gateway.port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
  await client.untilText('GW_PLUGIN');
  expect(client.text).toMatch(/^HTTP\/1\.1 500 /);
  client.socket.destroy();
});

test('a broken chunk of the client is its own fault', async () => {
  let closed = false;
  origin = await startRawOrigin((socket) => {
    socket.on('close', () => {
      closed = true;
    });
  });
  gateway = await startGateway(origin.port);
  const client = new RawClient(gateway.port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  await eventually(() => origin.sockets.size === 1);
  client.send('zz\r\n');
  await client.untilClosed();
  const { x } = await gateway.finished();
  expect(x.error?.code).toBe('GW_BAD_REQUEST');
  await eventually(() => closed);
});
