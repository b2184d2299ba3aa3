/** The reader of answers: the same whatever pieces they come in, and nothing looser than RFC 9112. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../src/kernel/errors.ts';
import { type Reading, ResponseReader } from '../../../src/transport/response-reader.ts';
import type { Fields } from '../../../src/wire/fields.ts';

const MAX_HEAD = 512;

/** Writes down what it is told, joined where the pieces of a body are. */
class Told implements Reading {
  readonly events: string[] = [];
  body = '';
  readonly reader = new ResponseReader(MAX_HEAD);

  constructor(method = 'GET') {
    this.reader.expect(this, method === 'HEAD');
  }

  informed(head: { status: number }): void {
    this.events.push(`informed ${head.status}`);
  }

  headed(head: { status: number; fields: Fields }, length: number | null): void {
    this.events.push(`head ${head.status} ${JSON.stringify(head.fields)} ${length}`);
  }

  data(piece: Uint8Array): void {
    this.body += Buffer.from(piece).toString('latin1');
  }

  completed(trailers: Fields | null): void {
    this.events.push(`body ${this.body}`, `end ${JSON.stringify(trailers)}`);
  }

  feed(bytes: Buffer): void {
    // The reader must keep nothing of what it is given.
    const landing = Buffer.concat([bytes, Buffer.from('left from before')]);
    this.reader.feed(landing, bytes.length);
    landing.fill('#');
  }
}

const told = (text: string, cuts: readonly number[] = [], method = 'GET') => {
  const all = Buffer.from(text, 'latin1');
  const to = new Told(method);
  let from = 0;
  try {
    for (const cut of [...cuts, all.length]) {
      if (cut > from) to.feed(all.subarray(from, cut));
      from = Math.max(from, cut);
    }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    to.events.push(error.code);
  }
  if (to.reader.surplus) to.events.push('surplus');
  return to;
};

const GOOD: [string, string, string[]][] = [
  [
    'a sized body',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
    ['head 200 {"content-length":"2"} 2', 'body ok', 'end null'],
  ],
  [
    'no body',
    'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    ['head 200 {"content-length":"0"} 0', 'body ', 'end null'],
  ],
  ['no reason', 'HTTP/1.1 204\r\n\r\n', ['head 204 {} 0', 'body ', 'end null']],
  ['an empty reason', 'HTTP/1.1 204 \r\n\r\n', ['head 204 {} 0', 'body ', 'end null']],
  [
    'a status that nobody knows',
    'HTTP/1.1 799 Odd \xe9\r\ncontent-length: 0\r\n\r\n',
    ['head 799 {"content-length":"0"} 0', 'body ', 'end null'],
  ],
  [
    'blanks round values',
    'HTTP/1.1 204 N\r\nA:\t b c \t\r\nB:\r\n\r\n',
    ['head 204 {"a":"b c","b":""} 0', 'body ', 'end null'],
  ],
  [
    'colons in a value',
    'HTTP/1.1 204 N\r\nDate: 10:11:12\r\n\r\n',
    ['head 204 {"date":"10:11:12"} 0', 'body ', 'end null'],
  ],
  [
    'bytes beyond ASCII',
    'HTTP/1.1 204 N\r\na: \xe9\r\n\r\n',
    ['head 204 {"a":"\xe9"} 0', 'body ', 'end null'],
  ],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n',
    ['head 200 {} null', 'body a0123456789', 'end null'],
  ],
  [
    'chunks with extensions, leading zeros and trailers',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0001;a=b\r\na\r\n000 ;x\r\nX-Sum: 1\r\nconnection: x\r\n\r\n',
    ['head 200 {} null', 'body a', 'end {"x-sum":"1"}'],
  ],
  [
    'extensions with tabs and quotes, which nobody has to understand',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\t\r\n\r\n1\t;\ta="b;\xe9\tc\r\na\r\n0;"\r\n\r\n',
    ['head 200 {} null', 'body a', 'end null'],
  ],
  [
    'trailers that would frame what is over',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\ncontent-length: 5\r\ntransfer-encoding: x\r\na: b\r\n\r\n',
    ['head 200 {} null', 'body ', 'end {"a":"b"}'],
  ],
  [
    'an interim answer with a length, which has no body all the same',
    'HTTP/1.1 103 Early\r\ncontent-length: 5\r\n\r\nHTTP/1.1 204 N\r\n\r\n',
    ['informed 103', 'head 204 {} 0', 'body ', 'end null'],
  ],
  [
    'a body that looks like an answer',
    'HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    ['head 200 {"content-length":"19"} 19', 'body HTTP/1.1 200 OK\r\n\r\n', 'end null'],
  ],
  [
    'interim answers',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: a\r\n\r\nHTTP/1.1 204 N\r\n\r\n',
    ['informed 103', 'head 204 {} 0', 'body ', 'end null'],
  ],
  [
    'lines that stand twice',
    'HTTP/1.1 204 N\r\na: 1\r\nA: 2\r\nset-cookie: c\r\n__proto__: x\r\n\r\n',
    ['head 204 {"a":["1","2"],"set-cookie":["c"],"__proto__":"x"} 0', 'body ', 'end null'],
  ],
];

describe.each(GOOD)('%s', (_what, text, events) => {
  test('is read whole', () => {
    expect(told(text).events).toEqual(events);
  });

  test('is read the same wherever it is cut', () => {
    for (let cut = 1; cut < text.length; cut++) expect(told(text, [cut]).events).toEqual(events);
    const each = Array.from({ length: text.length }, (_, at) => at);
    expect(told(text, each).events).toEqual(events);
  });

  test('leaves what follows to nobody', () => {
    expect(told(`${text}HTTP/1.1 200 OK\r\n\r\n`).events).toEqual([...events, 'surplus']);
  });
});

const OK = 'HTTP/1.1 200 OK\r\n';

test.each([
  ['HTTP/0.9', 'hello'],
  ['another protocol', 'SSH-2.0-OpenSSH\r\n'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a version of one digit', 'HTTP/1 200 OK\r\n\r\n'],
  ['a small letter in the version', 'http/1.1 200 OK\r\n\r\n'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a tab before the status', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['a NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
  ['an empty line before it', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['bare LF', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n'],
  ['one bare LF', `${OK}a: b\ncontent-length: 0\r\n\r\n`],
  ['a bare CR', `${OK}a: b\rc: d\r\n\r\n`],
  ['a NUL in a value', `${OK}a: \0\r\n\r\n`],
  ['a DEL in a value', `${OK}a: \x7f\r\n\r\n`],
  ['a folded line', `${OK}a: b\r\n c\r\n\r\n`],
  ['a line folded by a tab', `${OK}a: b\r\n\tc: d\r\n\r\n`],
  ['a space before the colon', `${OK}a : b\r\n\r\n`],
  ['a space before the name', `${OK} a: b\r\n\r\n`],
  ['no name', `${OK}: b\r\n\r\n`],
  ['no colon', `${OK}a\r\n\r\n`],
  ['no colon, and a next line that has one', `${OK}a\r\nb: c\r\n\r\n`],
  ['a letter that no name has', `${OK}a(b): c\r\n\r\n`],
  ['a byte beyond ASCII in a name', `${OK}\xe9: c\r\n\r\n`],
  ['both framings', `${OK}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  [
    'both framings of an answer without a body',
    'HTTP/1.1 204 N\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n',
  ],
  ['a length twice', `${OK}content-length: 2\r\ncontent-length: 2\r\n\r\nok`],
  ['two lengths', `${OK}content-length: 2, 2\r\n\r\nok`],
  ['a length with a sign', `${OK}content-length: +2\r\n\r\nok`],
  ['a negative length', `${OK}content-length: -2\r\n\r\nok`],
  ['a length in hexadecimal', `${OK}content-length: 0x2\r\n\r\nok`],
  ['an empty length', `${OK}content-length:\r\n\r\nok`],
  ['a length beyond reason', `${OK}content-length: 99999999999999999999\r\n\r\nok`],
  ['a coding that is not chunked', `${OK}transfer-encoding: gzip\r\n\r\nok`],
  ['a coding under chunked', `${OK}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['chunked twice', `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a coding that is nearly chunked', `${OK}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['an empty coding', `${OK}transfer-encoding:\r\ncontent-length: 2\r\n\r\nok`],
  [
    'an empty coding before chunked',
    `${OK}transfer-encoding:\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['a coding that was given up long ago', `${OK}transfer-encoding: identity\r\n\r\nok`],
  ['a coding in HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['an interim answer with a malformed length', `HTTP/1.1 103 E\r\ncontent-length: 2, 2\r\n\r\n${OK}\r\n`],
  [
    'an interim answer with both framings',
    `HTTP/1.1 100 C\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n${OK}\r\n`,
  ],
  ['an interim answer of HTTP/1.0', `HTTP/1.0 100 C\r\n\r\n${OK}\r\n`],
  ['an interim answer that closes', `HTTP/1.1 103 E\r\nconnection: close\r\n\r\n${OK}\r\n`],
  ['an empty line between an interim and the final answer', `HTTP/1.1 100 C\r\n\r\n\r\n${OK}\r\n`],
  ['an upgrade', 'HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
])('%s is refused before a head is told', (_what, text) => {
  expect(told(text).events).toEqual(['GW_UPSTREAM_PROTOCOL']);
});

test.each([
  ['a size that is no number', 'zz\r\n'],
  ['an empty size', '\r\n'],
  ['a size with a sign', '-1\r\na\r\n'],
  ['a size with 0x', '0x1\r\na\r\n'],
  ['a space before the size', ' 1\r\na\r\n'],
  ['a size beyond reason', 'fffffffffffff\r\n'],
  ['a size ended by LF', '1\na\r\n'],
  ['a chunk longer than its size', '1\r\nab\r\n'],
  ['a chunk ended by LF', '1\r\na\n0\r\n\r\n'],
  ['a space behind the size', '1 \r\na\r\n'],
  ['a CR behind the size', '1\r\r\na\r\n'],
  ['an empty line before a size', '1\r\na\r\n\r\n0\r\n\r\n'],
  ['a chunk that ends with CR only', '1\r\na\r0\r\n\r\n'],
  ['an LF in an extension', '1;a\nb\r\na\r\n'],
  ['a CR in an extension', '1;a\rb\r\na\r\n'],
  ['an extension without end', `1;${'x'.repeat(300)}`],
  ['a NUL in an extension', '1;\0\r\na\r\n'],
  ['a trailer without a colon', '0\r\nx\r\n\r\n'],
  ['a folded trailer', '0\r\na: b\r\n c\r\n\r\n'],
])('%s breaks a chunked body', (_what, chunks) => {
  const { events } = told(`${OK}transfer-encoding: chunked\r\n\r\n${chunks}`);
  expect(events).toEqual(['head 200 {} null', 'GW_UPSTREAM_PROTOCOL']);
});

test.each([
  ['a head', `${OK}x: ${'x'.repeat(MAX_HEAD)}`, []],
  [
    'trailers',
    `${OK}transfer-encoding: chunked\r\n\r\n0\r\nx: ${'x'.repeat(MAX_HEAD)}`,
    ['head 200 {} null'],
  ],
])('%s over the limit is refused, also by drips', (_what, text, before) => {
  expect(told(text).events).toEqual([...before, 'GW_UPSTREAM_HEADERS']);
  const each = Array.from({ length: text.length }, (_, at) => at);
  expect(told(text, each).events).toEqual([...before, 'GW_UPSTREAM_HEADERS']);
});

test('the answer to a HEAD has no body, whatever it says', () => {
  const { events } = told(`${OK}content-length: 5\r\n\r\n`, [], 'HEAD');
  expect(events).toEqual(['head 200 {"content-length":"5"} 0', 'body ', 'end null']);
  const chunked = told(`${OK}transfer-encoding: chunked\r\n\r\n`, [], 'HEAD');
  expect(chunked.events).toEqual(['head 200 {} 0', 'body ', 'end null']);
});

test.each([
  ['before a byte', '', false],
  ['in a head', 'HTTP/1.1 200', false],
  ['in a sized body', `${OK}content-length: 2\r\n\r\no`, false],
  ['in a chunk', `${OK}transfer-encoding: chunked\r\n\r\n2\r\no`, false],
  ['before the last chunk', `${OK}transfer-encoding: chunked\r\n\r\n1\r\no\r\n`, false],
  ['in the trailers', `${OK}transfer-encoding: chunked\r\n\r\n0\r\na: b\r\n`, false],
  ['in a body that it ends', `${OK}\r\nbody`, true],
])('an end %s: whole is %s', (_where, text, whole) => {
  const to = told(text);
  expect(to.reader.ended()).toBe(whole);
  expect(to.events.includes('end null')).toBe(whole);
});

test('what comes during a pause waits, and nothing is told out of turn', () => {
  const to = new Told();
  const pausing = (piece: Uint8Array) => {
    to.body += Buffer.from(piece).toString('latin1');
    to.reader.paused = true;
  };
  to.data = pausing;
  to.feed(Buffer.from(`${OK}transfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n`));
  expect(to.body).toBe('a');
  to.reader.resume();
  expect(to.body).toBe('ab');
  expect(to.events).toHaveLength(1);
  to.reader.resume();
  expect(to.events.at(-1)).toBe('end null');
});

test('a pause at each of many chunks copies nothing again', () => {
  const to = new Told();
  let pauses = 0;
  const pausing = () => {
    pauses++;
    to.reader.paused = true;
  };
  to.data = pausing;
  const chunks = 40_000;
  const startMs = performance.now();
  to.feed(Buffer.from(`${OK}transfer-encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(chunks)}0\r\n\r\n`));
  while (to.reader.paused) to.reader.resume();
  expect([pauses, to.events.at(-1)]).toEqual([chunks, 'end null']);
  // Copying what is left at each pause would move 5 GB.
  expect(performance.now() - startMs).toBeLessThan(1000);
});

test('a reader that is stopped in the middle tells nothing more', () => {
  const to = new Told();
  const stopping = () => to.reader.stop();
  to.headed = stopping;
  to.feed(Buffer.from(`${OK}content-length: 2\r\n\r\nok`));
  expect([to.events, to.body]).toEqual([[], '']);
});

test('random bodies in random chunks and random pieces come out as they went in', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.nat(3000), { maxLength: 12 }),
      (chunks, cuts) => {
        const pieces = chunks.map((chunk) => Buffer.from(chunk));
        const framed = pieces.map(
          (piece) => `${piece.length.toString(16)}\r\n${piece.toString('latin1')}\r\n`,
        );
        const text = `${OK}transfer-encoding: chunked\r\n\r\n${framed.join('')}0\r\n\r\n`;
        const to = told(
          text,
          cuts.toSorted((a, b) => a - b).filter((cut) => cut < text.length),
        );
        expect(to.body).toBe(Buffer.concat(pieces).toString('latin1'));
        expect(to.events.at(-1)).toBe('end null');
      },
    ),
  );
});
