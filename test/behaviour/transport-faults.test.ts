/** Upstreams that misbehave, callers that leave at any moment: nothing is lost, sent twice, mixed up or left behind. */
import { afterEach, expect, test } from 'vitest';
import type { EndpointTransportOptions } from '../../src/transport/endpoint-transport.ts';
import type { Body } from '../../src/wire/body.ts';
import { type Answer, createRawOrigin, type RawRequest } from '../kit/origin.ts';
import { ask, begin, HandBody, leftError, textBody, until } from '../kit/origin-calls.ts';
import { certificates } from '../kit/origin-tls.ts';
import { testTransport } from '../kit/origin-transport.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
const MIB = 1 << 20;
const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

const served = async (answer: Answer, options: Partial<EndpointTransportOptions> = {}, tls = false) => {
  const origin = await createRawOrigin(answer, tls ? certificates().server : null);
  const trust = { ca: certificates().ca, cert: null, key: null, serverName: null, verify: true };
  const transport = testTransport(origin.spec, { ...(tls ? { tls: trust } : null), ...options });
  open.push(origin, { close: () => transport.close(0) });
  return { origin, transport };
};

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Writes one byte at a time, each in a packet of its own as far as the system lets it. */
const drip = async ({ socket }: RawRequest, text: string) => {
  for (const letter of text) {
    socket.write(letter, 'latin1');
    await nextTurn();
  }
};

test.each([
  ['a sized body', OK, 'ok'],
  ['chunks and trailers', `${CHUNKED}2\r\nab\r\n3;x\r\ncde\r\n0\r\na: b\r\n\r\n`, 'abcde'],
  ['an interim answer before', `HTTP/1.1 103 E\r\nlink: a\r\n\r\n${OK}`, 'ok'],
])('%s, one byte at a time, is read whole and the connection kept', async (_what, text, body) => {
  const { origin, transport } = await served((request) => void drip(request, text));
  for (let turn = 0; turn < 2; turn++) {
    const heard = await ask(transport);
    expect([heard.text, heard.code]).toEqual([body, null]);
  }
  expect(origin.accepted).toBe(1);
});

test('an answer before the request body is sent, then a close, is passed on with the body stopped', async () => {
  const { transport } = await served(({ socket }) =>
    socket.end('HTTP/1.1 401 Unauthorized\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nno'),
  );
  const body = new HandBody(10 * MIB);
  const { heard } = begin(transport, { method: 'POST', body });
  (await body.sink).write(Buffer.alloc(MIB));
  expect([(await heard.done).status, heard.text, heard.code]).toEqual([401, 'no', null]);
  expect(body.cancelled?.code).toBe('GW_UPSTREAM_RESET');
  await until(() => transport.connections === 0, 'the connection to be closed');
});

test('an answer that ends after the request body does, though it began before, leaves a connection to use', async () => {
  const { origin, transport } = await served(({ socket }) => {
    socket.write(`${CHUNKED}2\r\nea\r\n`);
    socket.once('data', () => {
      socket.write('3\r\nrly\r\n0\r\n\r\n');
      socket.on('data', () => socket.write(OK));
    });
  });
  const body = new HandBody(4);
  const { heard } = begin(transport, { method: 'POST', body });
  const sink = await body.sink;
  await until(() => heard.text === 'ea', 'the first half of the answer');
  sink.write(Buffer.from('body'));
  sink.end(null);
  expect([(await heard.done).text, heard.code]).toEqual(['early', null]);
  expect([(await ask(transport)).text, origin.accepted]).toEqual(['ok', 1]);
});

test.each([
  ['GET', null],
  ['POST', 'a streamed body'],
])(
  'no %s is sent twice on connections that close between two, and each that is lost is told as stale',
  async (method, text) => {
    const { origin, transport } = await served(({ socket, rest }) => {
      const finish = () => socket.end(OK);
      // The FIN leaves behind the answer: the next call is written before it comes, or finds it there.
      if (text === null || rest.toString().includes('0\r\n\r\n')) finish();
      else socket.once('data', finish);
    });
    const answered: string[] = [];
    for (let turn = 0; turn < 200; turn++) {
      if (turn % 3 === 0) await nextTurn();
      const path = `/${turn}`;
      const body = text === null ? null : textBody(text, null);
      const heard = await ask(transport, { method, path, body });
      if (heard.text === 'ok') answered.push(path);
      else expect([heard.error?.code, heard.error?.retry]).toEqual(['GW_UPSTREAM_STALE', 'reused']);
    }
    const paths = origin.heads.map((head) => head.split(' ')[1]!);
    expect(new Set(paths).size).toBe(paths.length);
    expect(answered.filter((path) => !paths.includes(path))).toEqual([]);
    expect(answered.length).toBeGreaterThan(50);
  },
);

test('what was written is not written again by itself when its connection closes', async () => {
  const { origin, transport } = await served(({ socket, number }) => {
    if (number === 1) socket.write(OK);
    else socket.destroy();
  });
  await ask(transport);
  const heard = await ask(transport, { method: 'POST', body: textBody('once', null) });
  expect([heard.error?.code, heard.error?.retry]).toEqual(['GW_UPSTREAM_STALE', 'reused']);
  await nextTurn();
  expect([origin.heads.length, origin.accepted]).toEqual([2, 1]);
});

test.each([
  ['before a byte', '', 'GW_UPSTREAM_RESET'],
  ['in the head', 'HTTP/1.1 200 OK\r\ncontent-', 'GW_UPSTREAM_RESET'],
  ['behind an interim answer', 'HTTP/1.1 103 E\r\n\r\n', 'GW_UPSTREAM_RESET'],
  ['behind the head', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', 'GW_UPSTREAM_CUT'],
  ['in a chunk', `${CHUNKED}5\r\nab`, 'GW_UPSTREAM_CUT'],
  ['between chunks', `${CHUNKED}2\r\nab\r\n`, 'GW_UPSTREAM_CUT'],
  ['before the end of the trailers', `${CHUNKED}0\r\na: b\r\n`, 'GW_UPSTREAM_CUT'],
  ['in a body that the close ends', 'HTTP/1.1 200 OK\r\n\r\nab', 'GW_UPSTREAM_CUT'],
])('a reset %s ends the call once, as what it is', async (_where, text, code) => {
  const { transport } = await served(({ socket }) => {
    // Late enough for the bytes to have been read, since a reset discards what has not.
    socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 30));
  });
  const heard = await ask(transport);
  expect([heard.code, heard.endings]).toEqual([code, 1]);
  await until(() => transport.connections === 0 && transport.inFlight === 0, 'nothing to be left');
});

test.each([
  ['interim answers', 'HTTP/1.1 102 P\r\n\r\n', 'GW_UPSTREAM_PROTOCOL'],
  ['header lines', 'a: b\r\n', 'GW_UPSTREAM_HEADERS', 'HTTP/1.1 200 OK\r\n'],
  ['trailers', 'a: b\r\n', 'GW_UPSTREAM_HEADERS', `${CHUNKED}0\r\n`],
  ['a chunk extension', 'xxxxxxxx', 'GW_UPSTREAM_PROTOCOL', `${CHUNKED}1;`],
  ['zeros before the size of a chunk', '0', 'GW_UPSTREAM_PROTOCOL', CHUNKED],
  ['empty lines between chunks', '\r\n', 'GW_UPSTREAM_PROTOCOL', `${CHUNKED}1\r\na\r\n`],
])('%s without end are cut off', async (_what, piece, code, before = '') => {
  const flood = piece.repeat(4096);
  const { origin, transport } = await served(({ socket }) => {
    socket.write(before);
    const more = () => {
      while (!socket.destroyed && socket.write(flood));
    };
    socket.on('drain', more);
    more();
  });
  expect((await ask(transport)).code).toBe(code);
  await until(() => origin.sockets.size === 0, 'the connection to be closed');
});

test.each([
  ['just under the limit', 4096, null],
  ['just over it', 4097, 'GW_UPSTREAM_HEADERS'],
])('a head %s', async (_what, bytes, code) => {
  const frame = 'HTTP/1.1 204 N\r\nx: \r\n\r\n';
  const text = frame.replace('x: ', `x: ${'y'.repeat(bytes - frame.length)}`);
  const { transport } = await served(({ socket }) => socket.write(text), { maxHeaderBytes: 4096 });
  expect((await ask(transport)).code).toBe(code);
});

test.each([false, true])('10 MiB up and down, with pauses on both sides and TLS %s', async (tls) => {
  const bytes = 10 * MIB;
  const { transport } = await served(
    ({ socket, rest }) => {
      let left = bytes - rest.length;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
      if (rest.length > 0) socket.write(rest);
      socket.on('data', (chunk: Buffer) => {
        left -= chunk.length;
        if (socket.write(chunk) || left === 0) return;
        socket.pause();
        socket.once('drain', () => socket.resume());
      });
    },
    {},
    tls,
  );
  const piece = Buffer.alloc(100_000);
  for (let at = 0; at < piece.length; at++) piece[at] = at % 251;
  let sent = 0;
  let waits = 0;
  const body: Body = {
    length: bytes,
    read(into) {
      const push = () => {
        while (sent < bytes) {
          const next = piece.subarray(0, Math.min(piece.length, bytes - sent));
          sent += next.length;
          if (into.write(next)) continue;
          waits++;
          return;
        }
        into.end(null);
      };
      into.ready = push;
      push();
    },
    cancel() {
      // All of it is wanted.
    },
  };
  const { heard } = begin(transport, { method: 'POST', body }, false);
  await heard.headed;
  let taken = 0;
  let wrong = 0;
  heard.write = (chunk) => {
    for (const byte of chunk) if (byte !== (taken++ % piece.length) % 251) wrong++;
    // Every third piece is refused for a turn.
    if (taken % 3 !== 0) return true;
    setImmediate(() => heard.ready?.());
    return false;
  };
  heard.body!.read(heard);
  await heard.done;
  expect([heard.code, taken, wrong]).toEqual([null, bytes, 0]);
  expect(waits).toBeGreaterThan(0);
});

test.each([false, true])('a pause at each of 5,000 chunks loses and doubles nothing, TLS %s', async (tls) => {
  const { origin, transport } = await served(
    ({ socket }) => socket.write(`${CHUNKED}${'3\r\nabc\r\n'.repeat(5000)}0\r\n\r\n`),
    {},
    tls,
  );
  for (let turn = 0; turn < 2; turn++) {
    const { heard } = begin(transport, {}, false);
    await heard.headed;
    heard.write = (chunk) => {
      heard.chunks.push(Buffer.from(chunk));
      setImmediate(() => heard.ready?.());
      return false;
    };
    heard.body!.read(heard);
    expect([(await heard.done).text === 'abc'.repeat(5000), heard.code]).toEqual([true, null]);
  }
  expect(origin.accepted).toBe(1);
});

test('a thousand calls that are left before they are written reach nobody and leave nothing', async () => {
  const { origin, transport } = await served(({ socket }) => socket.write(OK));
  await ask(transport);
  const before = process.getActiveResourcesInfo().length;
  for (let turn = 0; turn < 1000; turn++) {
    const { heard, flight } = begin(transport, { method: 'POST', path: '/left', body: textBody('x') });
    flight.cancel(leftError);
    flight.cancel(leftError);
    expect(heard.endings).toBe(0);
    if (turn % 10 === 0) await nextTurn();
  }
  expect(transport.inFlight).toBe(0);
  await until(() => transport.connections === 0 && origin.sockets.size === 0, 'all connections to be closed');
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
  expect(origin.heads.filter((head) => head.includes('/left'))).toEqual([]);
  expect((await ask(transport)).text).toBe('ok');
});

test('a caller that leaves at any byte of an answer leaves nothing behind', async () => {
  const text = `HTTP/1.1 103 E\r\nlink: a\r\n\r\n${CHUNKED}3\r\nabc\r\n0\r\na: b\r\n\r\n`;
  let upTo = 0;
  const { origin, transport } = await served(({ socket }) => socket.write(text.slice(0, upTo)));
  for (upTo = 1; upTo < text.length; upTo++) {
    const { heard, flight } = begin(transport);
    const heads = upTo;
    await until(() => origin.heads.length === heads, 'the request');
    if (upTo % 2 === 0) await nextTurn();
    flight.cancel(leftError);
    expect([heard.endings, transport.inFlight]).toEqual([0, 0]);
  }
  await until(() => transport.connections === 0 && origin.sockets.size === 0, 'all connections to be closed');
});

test('a source of a request body that throws fails its call only', async () => {
  const { transport } = await served(({ socket }) => socket.write(OK));
  const body: Body = {
    length: 4,
    read() {
      throw new TypeError('a fault of the source');
    },
    cancel() {
      // It has nothing to free.
    },
  };
  const heard = await ask(transport, { method: 'POST', body });
  expect([heard.error?.code, heard.endings]).toEqual(['GW_INTERNAL', 1]);
  expect((await ask(transport)).text).toBe('ok');
});

test.each([
  ['HEAD', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['HEAD', 'HTTP/1.1 404 N\r\ncontent-length: 7\r\n\r\n'],
  ['GET', 'HTTP/1.1 304 N\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['GET', 'HTTP/1.1 204 N\r\ncontent-length: 7\r\n\r\n'],
])('%s answered by %j has no body, and what comes next is not taken for one', async (method, text) => {
  const { origin, transport } = await served(({ socket, number }) => socket.write(number === 1 ? text : OK));
  const first = await ask(transport, { method });
  expect([first.text, first.code]).toEqual(['', null]);
  expect([(await ask(transport)).text, origin.accepted]).toEqual(['ok', 1]);
});

test.each([
  'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.0 200 OK\r\n\r\nok',
])('%j is whole, and its connection not used again', async (text) => {
  const { origin, transport } = await served(({ socket }) =>
    text.includes('content-length') ? socket.write(text) : socket.end(text),
  );
  for (let turn = 0; turn < 2; turn++) {
    const heard = await ask(transport);
    expect([heard.text, heard.code]).toEqual(['ok', null]);
  }
  expect(origin.accepted).toBe(2);
});

test('nothing gathers on a connection that carries calls of all kinds', async () => {
  const { transport, origin } = await served(({ socket, rest }) => {
    if (rest.toString() === 'body') socket.write(OK);
    else socket.write(`${CHUNKED}2\r\nok\r\n0\r\n\r\n`);
  });
  const listeners = () =>
    [...origin.sockets].map((socket) => socket.eventNames().map((name) => socket.listenerCount(name)));
  await ask(transport);
  const [resources, before] = [process.getActiveResourcesInfo().length, listeners()];
  for (let turn = 0; turn < 100; turn++) {
    expect((await ask(transport)).text).toBe('ok');
    expect((await ask(transport, { method: 'POST', body: textBody('body') })).text).toBe('ok');
    expect((await ask(transport, { path: '/#' })).code).toBe('GW_BAD_REQUEST');
  }
  expect(listeners()).toEqual(before);
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(resources);
  expect(origin.accepted).toBe(1);
});
