/** What everything that calls itself a Transport does, whatever protocol and library are behind it. */
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { EndpointSpec } from '../../src/wire/endpoint.ts';
import type { Transport } from '../../src/wire/transport.ts';
import {
  type Answer,
  createFixedOrigin,
  createRawOrigin,
  type RawOrigin,
  refusingSpec,
} from '../kit/origin.ts';
import { ask, begin, fieldsOf, HandBody, leftError, textBody, until } from '../kit/origin-calls.ts';
import { testTransport } from '../kit/origin-transport.ts';

/** Another transport is held to the suite by a line here. */
const factories: [string, (spec: EndpointSpec) => Transport][] = [
  ['http/1.1', (spec) => testTransport(spec)],
];

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe.each(factories)('%s', (_name, createTransport) => {
  const open: { close(): unknown }[] = [];

  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  const over = (origin: RawOrigin) => {
    const transport = createTransport(origin.spec);
    open.push(origin, { close: () => transport.close(0) });
    return transport;
  };
  const fixed = async (bytes: string) => over(await createFixedOrigin(bytes));
  const served = async (answer: Answer) => {
    const origin = await createRawOrigin(answer);
    return { origin, transport: over(origin) };
  };

  test('a response arrives with its status, its fields and its body', async () => {
    const transport = await fixed(
      'HTTP/1.1 207 Odd\r\nX-One: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\ncontent-length: 5\r\n\r\nhello',
    );
    const heard = await ask(transport);
    expect([heard.status, heard.text, heard.code]).toEqual([207, 'hello', null]);
    expect(heard.response?.fields['x-one']).toBe('1');
    expect(heard.response?.fields['set-cookie']).toEqual(['a', 'b']);
    expect(Object.getPrototypeOf(heard.response?.fields)).toBe(null);
    expect(heard.body?.length).toBe(5);
  });

  test('the request leaves with method, path, query, Host from the authority and its fields', async () => {
    const { origin, transport } = await served(({ socket }) => socket.write(OK));
    await ask(transport, {
      method: 'PURGE',
      path: '/a/b',
      query: '?c=d',
      authority: 'api.example:8080',
      fields: { 'x-list': ['1', '2'], host: 'evil.example' },
    });
    const lines = origin.heads[0]!.split('\r\n');
    expect(lines[0]).toBe('PURGE /a/b?c=d HTTP/1.1');
    expect(lines.filter((line) => /^host:/i.test(line))).toEqual(['host: api.example:8080']);
    expect(lines).toContain('x-list: 1');
    expect(lines).toContain('x-list: 2');
  });

  test('no receiver is called before send has returned', async () => {
    const transport = await fixed(OK);
    const { heard } = begin(transport, { path: '/#no' });
    expect(heard.endings).toBe(0);
    expect((await heard.done).error?.code).toBe('GW_BAD_REQUEST');
  });

  test('fields of the connection are sent neither way', async () => {
    const { origin, transport } = await served(({ socket }) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop, content-length\r\nx-hop: 1\r\nkeep-alive: timeout=9\r\n' +
          'proxy-connection: x\r\nte: x\r\ntrailer: x\r\nupgrade: h2c\r\nx-end: 1\r\ncontent-length: 2\r\n\r\nok',
      ),
    );
    const heard = await ask(transport, {
      fields: {
        te: 'trailers',
        'keep-alive': '9',
        'proxy-connection': 'x',
        upgrade: 'h2c',
        expect: '100-continue',
      },
    });
    expect(Object.keys(heard.response!.fields).sort()).toEqual(['content-length', 'x-end']);
    expect(origin.heads[0]!.toLowerCase()).not.toMatch(
      /\r\n(te|keep-alive|proxy-connection|upgrade|expect):/,
    );
  });

  test.each([
    ['known', 11, /content-length: 11/],
    ['unknown', null, /transfer-encoding: chunked/],
  ])('a body of %s length is sent with its framing, on GET as well', async (_kind, length, framing) => {
    for (const method of ['POST', 'GET']) {
      const { origin, transport } = await served(({ socket, rest }) => {
        let sent = rest.toString();
        const check = () => {
          if (sent.includes('hello world') || /hello \r\n\S+\r\nworld\r\n0\r\n\r\n$/.test(sent))
            socket.write(OK);
        };
        check();
        socket.on('data', (chunk) => {
          sent += chunk;
          check();
        });
      });
      const body = new HandBody(length);
      const { heard } = begin(transport, { method, body });
      const sink = await body.sink;
      sink.write(Buffer.from('hello '));
      sink.write(Buffer.from('world'));
      sink.end(null);
      expect((await heard.done).text).toBe('ok');
      expect(origin.heads[0]!.toLowerCase()).toMatch(framing);
    }
  });

  test('trailers of a request follow its last chunk, without those that cannot stand there', async () => {
    let sent = '';
    const { transport } = await served(({ socket, rest }) => {
      const take = (bytes: Buffer) => {
        sent += bytes;
        if (sent.endsWith('\r\n\r\n')) socket.write(OK);
      };
      take(rest);
      socket.on('data', take);
    });
    const body = new HandBody();
    const { heard } = begin(transport, { method: 'POST', body });
    const sink = await body.sink;
    sink.write(Buffer.from('abc'));
    sink.end(fieldsOf({ 'x-sum': '3', 'x-bad': 'a\r\nb: c', 'content-length': '9' }));
    expect((await heard.done).text).toBe('ok');
    expect(sent).toBe('3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n');
  });

  test('an empty body is no body', async () => {
    const { origin, transport } = await served(({ socket }) => socket.write(OK));
    expect((await ask(transport, { method: 'POST', body: textBody('') })).text).toBe('ok');
    expect(origin.heads[0]!.toLowerCase()).toContain('content-length: 0');
  });

  test('a chunked response comes whole, with its trailers', async () => {
    const transport = await fixed(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n',
    );
    const heard = await ask(transport);
    expect([heard.text, heard.body?.length, heard.code]).toEqual(['abcde', null, null]);
    expect(heard.trailers?.['x-sum']).toBe('5');
  });

  test('a body that ends with the connection comes whole', async () => {
    const { transport } = await served(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nto the end'));
    const heard = await ask(transport);
    expect([heard.text, heard.code]).toEqual(['to the end', null]);
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\n\r\n'],
    ['GET', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
  ])('%s answered by %j ends at once and keeps the connection', async (method, bytes) => {
    const { origin, transport } = await served(({ socket }) => socket.write(bytes));
    for (let turn = 0; turn < 2; turn++) {
      const heard = await ask(transport, { method });
      expect([heard.text, heard.code]).toEqual(['', null]);
    }
    expect(origin.accepted).toBe(1);
  });

  test('a 304 with the length of what it did not send ends at once', async () => {
    const heard = await ask(await fixed('HTTP/1.1 304 Not Modified\r\ncontent-length: 999\r\n\r\n'));
    expect([heard.status, heard.text, heard.code]).toEqual([304, '', null]);
    expect(heard.response?.fields['content-length']).toBe('999');
  });

  test('interim answers are passed on, the final one follows', async () => {
    const transport = await fixed(
      `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n${OK}`,
    );
    const heard = await ask(transport);
    expect([heard.informed, heard.text]).toEqual([[103, 102], 'ok']);
  });

  test('a 100 that nobody asked for is passed over', async () => {
    const heard = await ask(await fixed(`HTTP/1.1 100 Continue\r\n\r\n${OK}`));
    expect([heard.informed, heard.text]).toEqual([[], 'ok']);
  });

  test('a connection is used again', async () => {
    const { origin, transport } = await served(({ socket }) => socket.write(OK));
    for (let turn = 0; turn < 5; turn++) expect((await ask(transport)).text).toBe('ok');
    expect(origin.accepted).toBe(1);
  });

  test.each([
    ['connection: close', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    [
      'a keep-alive time too short to use',
      'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok',
    ],
  ])('after %s the connection is not used again', async (_why, bytes) => {
    const { origin, transport } = await served(({ socket }) => socket.write(bytes));
    for (let turn = 0; turn < 3; turn++) expect((await ask(transport)).text).toBe('ok');
    expect(origin.accepted).toBe(3);
  });

  test('a refused connection fails the call with a verdict that it was not sent', async () => {
    const transport = createTransport(await refusingSpec());
    const heard = await ask(transport);
    expect([heard.error?.code, heard.error?.retry]).toEqual(['GW_CONNECT_REFUSED', 'unsent']);
  });

  test('a name that does not resolve fails the call as DNS', async () => {
    const transport = createTransport({ scheme: 'http', host: 'no-such-host.invalid', port: 80, weight: 1 });
    expect((await ask(transport)).code).toBe('GW_DNS');
  });

  test('a connection closed or reset before the answer fails the call', async () => {
    for (const cut of ['end', 'resetAndDestroy'] as const) {
      const { transport } = await served(({ socket }) => socket[cut]());
      const heard = await ask(transport);
      expect([heard.error?.code, heard.error?.retry]).toEqual(['GW_UPSTREAM_RESET', 'idempotent']);
    }
  });

  test('a reused connection that closes as it is written to is stale', async () => {
    const { transport } = await served(({ socket, number }) => {
      if (number === 1) socket.write(OK);
      else socket.destroy();
    });
    expect((await ask(transport)).text).toBe('ok');
    const heard = await ask(transport);
    expect([heard.error?.code, heard.error?.retry]).toEqual(['GW_UPSTREAM_STALE', 'reused']);
  });

  test('a reused connection that closes after the first byte of an answer is a reset, not stale', async () => {
    const { transport } = await served(({ socket, number }) => {
      if (number === 1) socket.write(OK);
      else socket.end('HTTP/1.1 2');
    });
    await ask(transport);
    expect((await ask(transport)).code).toMatch(/^GW_UPSTREAM_(RESET|PROTOCOL)$/);
  });

  test.each([
    ['short content-length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 'end'],
    [
      'short content-length and close',
      'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\nabc',
      'end',
    ],
    ['unfinished chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', 'end'],
    [
      'unfinished chunks and close',
      'HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n',
      'end',
    ],
    ['a reset within a content-length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 'reset'],
    ['a reset of a body that the close ends', 'HTTP/1.1 200 OK\r\n\r\nabc', 'reset'],
    ['a reset after connection: close', 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc', 'reset'],
  ])('a body cut by %s never looks whole', async (_why, bytes, how) => {
    const { transport } = await served(({ socket }) => {
      socket.write(bytes, () => {
        if (how === 'end') socket.end();
        // Late enough for the bytes to have been read, since a reset discards what has not.
        else setTimeout(() => socket.resetAndDestroy(), 30);
      });
    });
    const heard = await ask(transport);
    expect([heard.status, heard.text, heard.bodyError?.code]).toEqual([200, 'abc', 'GW_UPSTREAM_CUT']);
    expect(heard.endings).toBe(1);
  });

  test.each([
    ['no HTTP at all', 'SSH-2.0-OpenSSH\r\n\r\n', 'GW_UPSTREAM_PROTOCOL'],
    [
      'both framings',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      'GW_UPSTREAM_PROTOCOL',
    ],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok',
      'GW_UPSTREAM_PROTOCOL',
    ],
    [
      'another transfer coding',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok',
      'GW_UPSTREAM_PROTOCOL',
    ],
    [
      'a space before the colon',
      'HTTP/1.1 200 OK\r\nx-a : 1\r\ncontent-length: 2\r\n\r\nok',
      'GW_UPSTREAM_PROTOCOL',
    ],
    [
      'an unasked 101',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
      'GW_UPSTREAM_PROTOCOL',
    ],
    ['interim answers without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40), 'GW_UPSTREAM_PROTOCOL'],
    ['a huge head', `HTTP/1.1 200 OK\r\nx-big: ${'x'.repeat(40_000)}\r\n\r\n`, 'GW_UPSTREAM_HEADERS'],
    [
      'too many lines',
      `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(3000)}content-length: 2\r\n\r\nok`,
      'GW_UPSTREAM_',
    ],
  ])('%s is not taken for an answer', async (_what, bytes, code) => {
    const heard = await ask(await fixed(bytes));
    expect(heard.response).toBe(null);
    expect(heard.error?.code).toContain(code);
  });

  test('a bad chunk in a body ends it uncleanly', async () => {
    const heard = await ask(
      await fixed('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n'),
    );
    expect([heard.text, heard.bodyError?.source]).toEqual(['ok', 'upstream']);
  });

  test('bytes behind an answer close the connection and reach no other call', async () => {
    const { origin, transport } = await served(({ socket, number }) =>
      socket.write(number === 1 ? `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil` : OK),
    );
    expect((await ask(transport)).text).toBe('ok');
    expect((await ask(transport)).text).toBe('ok');
    expect(origin.accepted).toBe(2);
  });

  test('unasked bytes on an idle connection close it', async () => {
    const { origin, transport } = await served(({ socket }) => socket.write(OK));
    await ask(transport);
    const [socket] = origin.sockets;
    socket!.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil');
    await until(() => origin.sockets.size === 0, 'the connection to be closed');
    expect((await ask(transport)).text).toBe('ok');
  });

  test('a paused body holds the upstream back', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const total = 400;
    let written = 0;
    const { transport } = await served(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${chunk.length * total}\r\n\r\n`);
      const more = () => {
        while (written < total) {
          written++;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on('drain', more);
      more();
    });
    const { heard } = begin(transport, {}, false);
    await heard.headed;
    heard.takes = false;
    heard.body!.read(heard);
    await until(() => heard.chunks.length > 0, 'a first chunk');
    let before = -1;
    for (let still = 0; still < 10; ) {
      still = before === written ? still + 1 : 0;
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(heard.chunks.length).toBe(1);
    expect(written).toBeLessThan(total);
    heard.takes = true;
    heard.ready!();
    await heard.done;
    expect([heard.text.length, heard.code]).toEqual([chunk.length * total, null]);
  });

  test('a request body waits for the upstream to read', async () => {
    const read = Promise.withResolvers<void>();
    const { transport } = await served(({ socket }) => {
      socket.pause();
      void read.promise.then(() => {
        socket.on('data', (chunk: Buffer) => {
          if (chunk.toString('latin1').endsWith('0\r\n\r\n')) socket.write(OK);
        });
        socket.resume();
      });
    });
    const body = new HandBody();
    const { heard } = begin(transport, { method: 'PUT', body });
    const sink = await body.sink;
    let ready = 0;
    sink.ready = () => ready++;
    const chunk = Buffer.alloc(1 << 20, 'x');
    // What the kernel takes on its own, before it asks the other side, is its own affair.
    for (let sent = 0, held = false; !held; sent++) {
      expect(sent).toBeLessThan(64);
      ready = 0;
      if (!sink.write(chunk)) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        held = ready === 0;
      }
    }
    read.resolve();
    await until(() => ready > 0, 'the sink to be ready');
    sink.end(null);
    expect((await heard.done).text).toBe('ok');
  });

  test('a request body that breaks breaks the connection, and the call with the same error', async () => {
    const { origin, transport } = await served(() => {});
    const body = new HandBody();
    const { heard } = begin(transport, { method: 'POST', body });
    const sink = await body.sink;
    sink.write(Buffer.from('half'));
    await until(() => origin.heads.length === 1, 'the head to arrive');
    sink.fail(leftError);
    expect((await heard.done).error).toBe(leftError);
    await until(() => origin.sockets.size === 0, 'the connection to be closed');
  });

  test.each([
    ['longer', 'abcdef'],
    ['shorter', 'ab'],
  ])('a request body %s than was said fails the call', async (_how, text) => {
    const { transport } = await served(() => {});
    const heard = await ask(transport, { method: 'POST', body: textBody(text, 4) });
    expect(heard.error?.code).toBe('GW_INTERNAL');
  });

  test('an early answer is passed on, the rest of the request body is stopped, the connection dropped', async () => {
    const { origin, transport } = await served(({ socket }) =>
      socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno'),
    );
    const body = new HandBody(100);
    const { heard } = begin(transport, { method: 'POST', body });
    (await body.sink).write(Buffer.from('half'));
    expect([(await heard.done).status, heard.text, heard.code]).toEqual([413, 'no', null]);
    expect(body.cancelled).not.toBe(null);
    await until(() => origin.sockets.size === 0, 'the connection to be closed');
  });

  test('a response may begin while the request body still flows', async () => {
    const { transport } = await served(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n');
      socket.on('data', (chunk: Buffer) => {
        if (chunk.toString('latin1').includes('0\r\n\r\n')) socket.write('1\r\nb\r\n0\r\n\r\n');
      });
    });
    const body = new HandBody();
    const { heard } = begin(transport, { method: 'POST', body });
    const sink = await body.sink;
    sink.write(Buffer.from('x'));
    await until(() => heard.text === 'a', 'the first half');
    sink.end(null);
    expect([(await heard.done).text, heard.code]).toEqual(['ab', null]);
  });

  test('a flight that is cancelled is silent, whatever it was doing, and leaves nothing behind', async () => {
    const { origin, transport } = await served(({ head, socket }) => {
      if (head.startsWith('GET /half')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
    });
    const connecting = begin(transport);
    connecting.flight.cancel(leftError);
    const waiting = begin(transport);
    await until(() => origin.heads.length === 1, 'the request');
    waiting.flight.cancel(leftError);
    const receiving = begin(transport, { path: '/half' });
    await until(() => receiving.heard.text === 'half', 'half of the body');
    receiving.flight.cancel(leftError);
    receiving.flight.cancel(leftError);
    const unread = begin(transport, { path: '/half' }, false);
    await unread.heard.headed;
    unread.heard.body!.cancel(leftError);
    const body = new HandBody();
    const sending = begin(transport, { method: 'POST', body });
    await body.sink;
    sending.flight.cancel(leftError);
    expect(body.cancelled).toBe(leftError);
    await until(() => origin.sockets.size === 0, 'all connections to be closed');
    for (const each of [connecting, waiting, receiving, unread, sending]) expect(each.heard.endings).toBe(0);
  });

  test('a receiver may cancel in the middle of being told', async () => {
    const { origin, transport } = await served(({ socket }) =>
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n'),
    );
    const { heard, flight } = begin(transport, {}, false);
    heard.write = () => {
      heard.chunks.push(Buffer.from('x'));
      flight.cancel(leftError);
      return true;
    };
    await heard.headed;
    heard.body!.read(heard);
    await until(() => origin.sockets.size === 0 && heard.chunks.length > 0, 'the connection to be closed');
    expect([heard.chunks.length, heard.endings]).toEqual([1, 0]);
  });

  test('an exception of a receiver ends its call only, and is not put on the upstream', async () => {
    const { transport } = await served(({ socket }) => socket.write(OK));
    const { heard } = begin(transport);
    heard.write = () => {
      throw new TypeError('a fault of the reader');
    };
    expect((await heard.done).bodyError?.code).toBe('GW_INTERNAL');
    expect((await ask(transport)).text).toBe('ok');
  });

  test('one body may feed another: a read from within an end works', async () => {
    const transport = await fixed('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello');
    const first = begin(transport, {}, false);
    const second = begin(transport, {}, false);
    await Promise.all([first.heard.headed, second.heard.headed]);
    const end = first.heard.end.bind(first.heard);
    first.heard.end = (trailers) => {
      second.heard.body!.read(second.heard);
      end(trailers);
    };
    first.heard.body!.read(first.heard);
    expect([(await second.heard.done).text, first.heard.text]).toEqual(['hello', 'hello']);
  });

  test.each([
    ['a newline in a value', { fields: { 'x-a': 'a\r\nx: y' } }],
    ['a NUL in a value', { fields: { 'x-a': 'a\0' } }],
    ['a space in a name', { fields: { 'x a': '1' } }],
    ['a letter beyond latin-1', { fields: { 'x-a': '\u20ac' } }],
    ['a space in the path', { path: '/a b' }],
    ['a fragment', { path: '/a#b' }],
    ['an absolute path', { path: 'http://evil.example/' }],
    ['a newline in the method', { method: 'GET\r\n' }],
    ['CONNECT', { method: 'CONNECT' }],
    ['a newline in the authority', { authority: 'a\r\nb' }],
    ['no authority', { authority: '' }],
  ])('%s fails its call only, on a fresh connection and on a used one', async (_what, options) => {
    const { origin, transport } = await served(({ socket }) => socket.write(OK));
    const fresh = await ask(transport, options);
    expect((await ask(transport)).text).toBe('ok');
    const used = await ask(transport, options);
    expect((await ask(transport)).text).toBe('ok');
    expect(fresh.error?.code).toMatch(/^GW_(BAD_REQUEST|INTERNAL)$/);
    expect(used.error?.code).toBe(fresh.error?.code);
    expect(origin.accepted).toBe(1);
  });

  test('a hundred bad requests spoil nothing for a hundred good ones', async () => {
    const { origin, transport } = await served(({ socket }) => socket.write(OK));
    const bad = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        ask(
          transport,
          n % 2 === 0 ? { fields: { 'x-a': '\n' } } : { path: '/#', fields: { connection: '\0' } },
        ),
      ),
    );
    expect(new Set(bad.map((heard) => heard.response))).toEqual(new Set([null]));
    for (let turn = 0; turn < 10; turn++) {
      const mixed = await Promise.all(
        Array.from({ length: 16 }, (_, n) => ask(transport, n < 8 ? { fields: { 'x-a': '\n' } } : {})),
      );
      expect(mixed.filter((heard) => heard.text === 'ok').length).toBe(8);
    }
    for (let turn = 0; turn < 10; turn++) {
      const good = await Promise.all(Array.from({ length: 7 }, () => ask(transport)));
      expect(good.filter((heard) => heard.text === 'ok').length).toBe(7);
    }
    expect(origin.accepted).toBeLessThanOrEqual(8);
  });

  test('a deadline that has passed fails the call, one that passes fails it on time', async () => {
    const { origin, transport } = await served(() => {});
    expect((await ask(transport, { deadlineMs: systemClock.nowMs() - 1 })).code).toBe('GW_TIMEOUT');
    const startMs = systemClock.nowMs();
    const heard = await ask(transport, { deadlineMs: startMs + 60, timeouts: { firstByteMs: 5000 } });
    expect(heard.code).toBe('GW_TIMEOUT');
    expect(systemClock.nowMs() - startMs).toBeGreaterThanOrEqual(55);
    await until(() => origin.sockets.size === 0, 'the connection to be closed');
  });

  test('an upstream that never answers is given up after firstByteMs, counted from the end of the body', async () => {
    const { transport } = await served(() => {});
    const body = new HandBody();
    const { heard } = begin(transport, { method: 'POST', body, timeouts: { firstByteMs: 80 } });
    const sink = await body.sink;
    sink.write(Buffer.from('a'));
    await new Promise((resolve) => setTimeout(resolve, 160));
    expect(heard.endings).toBe(0);
    sink.end(null);
    expect((await heard.done).error?.code).toBe('GW_UPSTREAM_TIMEOUT');
  });

  test('a body that falls silent is given up after idleMs', async () => {
    const { transport } = await served(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n');
      let left = 4;
      const drip = setInterval(() => {
        socket.write('x');
        if (--left === 0) clearInterval(drip);
      }, 40);
    });
    const heard = await ask(transport, { timeouts: { idleMs: 100 } });
    expect([heard.text, heard.bodyError?.code]).toEqual(['xxxx', 'GW_UPSTREAM_IDLE']);
  });

  test('a reader that waits is not held against the upstream', async () => {
    const transport = await fixed('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello');
    const { heard } = begin(transport, { timeouts: { idleMs: 30 } }, false);
    await heard.headed;
    await new Promise((resolve) => setTimeout(resolve, 120));
    heard.body!.read(heard);
    expect([(await heard.done).text, heard.code]).toEqual(['hello', null]);
  });

  test('close lets calls finish, refuses new ones and cuts what takes too long', async () => {
    const { origin, transport } = await served(({ head, socket }) => {
      if (head.startsWith('GET /slow')) setTimeout(() => socket.write(OK), 60);
    });
    const slow = begin(transport, { path: '/slow' });
    const never = begin(transport, { path: '/never' });
    await until(() => origin.heads.length === 2, 'both requests');
    const closed = transport.close(150);
    expect((await ask(transport)).code).toBe('GW_STOPPING');
    expect((await slow.heard.done).text).toBe('ok');
    expect((await never.heard.done).code).toBe('GW_STOPPING');
    await closed;
    await until(() => origin.sockets.size === 0, 'all connections to be closed');
  });
});
