/** Chunked bodies in every broken form end with 400 and the connection closed. */
import { describe } from 'vitest';
import { bad, chunked, good, rows } from '../kit/raw-rows.ts';

const END = '0\r\n\r\n';
const five = (size: string) => chunked(`${size}\r\nhello\r\n${END}`);

describe('chunk sizes', () => {
  rows([
    good('plain', five('5'), '"body":"hello"'),
    good('with zeros before it', five('00005'), '"body":"hello"'),
    good('in upper case', chunked(`A\r\n0123456789\r\n${END}`), '0123456789'),
    good('in lower case', chunked(`a\r\n0123456789\r\n${END}`), '0123456789'),
    good('of several chunks', chunked(`2\r\nhe\r\n3\r\nllo\r\n${END}`), '"body":"hello"'),
    good('of nought at once', chunked(END), '"body":""'),
    good('of many noughts', chunked('0000\r\n\r\n'), '"body":""'),
    bad('empty', five('')),
    bad('with a space before it', five(' 5')),
    bad('with a tab before it', five('\t5')),
    bad('with a space behind it', five('5 ')),
    bad('with a tab behind it', five('5\t')),
    bad('with a plus', five('+5')),
    bad('negative', five('-5')),
    bad('with 0x', five('0x5')),
    bad('with 0X', five('0X5')),
    bad('with h', five('5h')),
    bad('with a letter past f', five('g')),
    bad('with an underscore', five('0_5')),
    bad('in quotes', five('"5"')),
    bad('with a comma', five('5,5')),
    bad('with a NUL', five('5\0')),
    bad('with a vertical tab', five('5\x0b')),
    bad('with a letter above ASCII', five('5\xa0')),
    bad('over 64 bits', chunked('10000000000000005\r\nhello')),
    bad('of a hundred digits', chunked(`${'f'.repeat(100)}\r\nhello`)),
    bad('ended by a bare LF', chunked(`5\nhello\r\n${END}`)),
    bad('ended by a bare CR', chunked(`5\rhello\r\n${END}`)),
    bad('ended by CR CR LF', chunked(`5\r\r\nhello\r\n${END}`)),
    bad('ended by LF CR', chunked(`5\n\rhello\r\n${END}`)),
  ]);
});

describe('chunk data', () => {
  rows([
    bad('longer than its size', chunked(`4\r\nhello\r\n${END}`)),
    bad('shorter than its size', chunked(`6\r\nhello\r\n${END}`)),
    bad('without its CRLF', chunked(`5\r\nhello${END}`)),
    bad('ended by a bare LF', chunked(`5\r\nhello\n${END}`)),
    bad('ended by a bare CR', chunked(`5\r\nhello\r${END}`)),
    bad('ended by two CRs', chunked(`5\r\nhello\r\r\n${END}`)),
    bad('ended by other letters', chunked(`5\r\nhelloXX${END}`)),
    bad(
      'that hides a request behind a wrong size',
      chunked('1\r\nhello\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n'),
    ),
  ]);
});

describe('chunk extensions', () => {
  rows([
    good('with a name', five('5;a'), 'hello'),
    good('with a value', five('5;a=b'), 'hello'),
    good('with a quoted value', five('5;a="b c"'), 'hello'),
    good('with an escaped quote', five('5;a="b\\"c"'), 'hello'),
    good('several', five('5;a=b;c=d'), 'hello'),
    good('on the last chunk', chunked('5\r\nhello\r\n0;a=b\r\n\r\n'), 'hello'),
    bad('with a space before the semicolon', five('5 ;a=b')),
    bad('ended by a bare LF', chunked(`5;a\nhello\r\n${END}`)),
    bad('with a bare CR', chunked(`5;a\rb\r\nhello\r\n${END}`)),
    bad('with a bare LF in a quoted value', chunked(`5;a="b\nc"\r\nhello\r\n${END}`)),
    bad('with a bare CR in a quoted value', chunked(`5;a="b\rc"\r\nhello\r\n${END}`)),
    bad('with CRLF in a quoted value', chunked(`5;a="b\r\nc"\r\nhello\r\n${END}`)),
    bad('with a NUL', five('5;a=\0')),
    bad('of 17,000 bytes', five(`5;a=${'x'.repeat(17_000)}`)),
    bad('of 70,000 bytes', five(`5;a=${'x'.repeat(70_000)}`)),
    bad(
      'of 16,000 bytes on each of 40 chunks',
      chunked(`1;a=${'x'.repeat(16_000)}\r\nh\r\n`.repeat(40) + END),
    ),
    bad('of 40 bytes on each of 20,000 chunks', chunked(`1;${'x'.repeat(40)}\r\nh\r\n`.repeat(20_000) + END)),
    good('of two bytes on each of 20,000 chunks', chunked('1;ab\r\nh\r\n'.repeat(20_000) + END), 'hhhh'),
  ]);
});

describe('trailers', () => {
  const trail = (...lines: string[]) =>
    chunked(`5\r\nhello\r\n0\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  rows([
    good('that are allowed', trail('X-Checksum: 1'), '"x-checksum":"1"'),
    good('of gRPC', trail('Grpc-Status: 0'), '"grpc-status":"0"'),
    bad('that frame', trail('Content-Length: 5')),
    bad('that frame by coding', trail('Transfer-Encoding: chunked')),
    good('that route', trail('Host: b'), '"authority":"a"', '"b"'),
    good('that authenticate', trail('Authorization: Bearer x'), '"trailers":null'),
    good('with a cookie', trail('Cookie: a=b'), '"trailers":null'),
    good('with an address', trail('X-Forwarded-For: 1.2.3.4'), '"trailers":null'),
    good('with a real address', trail('X-Real-IP: 1.2.3.4'), '"trailers":null'),
    good('with a trace ID', trail('X-Trace-Id: 1'), '"trailers":null'),
    good('with a method', trail('X-HTTP-Method-Override: DELETE'), '"trailers":null'),
    good('with a key', trail('X-Api-Key: 1'), '"trailers":null'),
    good('with an underscore', trail('X_Checksum: 1'), '"trailers":null'),
    good('called __proto__', trail('__proto__: 1'), '"trailers":null'),
    bad('with a space before the colon', trail('X-A : 1')),
    bad('that are folded', trail('X-A: 1', ' 2')),
    bad('ended by a bare LF', chunked(`0\r\nX-A: 1\n\r\n`)),
    bad('with a NUL', trail('X-A: \0')),
    bad('without a colon', trail('X-A')),
    bad('with an empty name', trail(': 1')),
    bad('with an end of a bare LF', chunked('0\r\n\n')),
    bad('of 40,000 bytes', trail(`X-A: ${'x'.repeat(40_000)}`), 'GW_HEADERS_TOO_LARGE', 431),
    bad(
      'of 200 lines',
      trail(...Array.from({ length: 200 }, (_, at) => `X-${at}: 1`)),
      'GW_HEADERS_TOO_LARGE',
      431,
    ),
  ]);
});
