/** Where a request body begins and ends must have one reading only. */
import { describe } from 'vitest';
import { bad, good, post, rows } from '../kit/raw-rows.ts';

const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';
const cl = (value: string, body = 'hello') => post([`Content-Length:${value}`], body);
const te = (value: string, body = CHUNKS) => post([`Transfer-Encoding:${value}`], body);
/** What an attacker hides behind a body that two servers end at different places. */
const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';

describe('content-length', () => {
  rows([
    good('plain', cl(' 5'), '"body":"hello"'),
    good('without a space before it', cl('5'), '"body":"hello"'),
    good('with tabs around it', cl('\t5\t'), '"body":"hello"'),
    good('with leading zeros', cl(' 0005'), '"body":"hello"'),
    good('of nought', cl(' 0', ''), '"body":""'),
    good('in upper case', post(['CONTENT-LENGTH: 5'], 'hello'), '"body":"hello"'),
    good('on a GET', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', '"body":"hello"'),
    good('on a DELETE', 'DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', '"body":"hello"'),
    bad('empty', cl('')),
    bad('of spaces', cl('   ')),
    bad('negative', cl(' -5')),
    bad('with a plus', cl(' +5')),
    bad('hexadecimal', cl(' 0x5')),
    bad('with a fraction', cl(' 5.0')),
    bad('with an exponent', cl(' 5e0')),
    bad('with an underscore', cl(' 1_0')),
    bad('with a letter behind it', cl(' 5a')),
    bad('with a letter before it', cl(' a5')),
    bad('in quotes', cl(' "5"')),
    bad('with two numbers', cl(' 5 5')),
    bad('as an equal list', cl(' 5, 5')),
    bad('as an unequal list', cl(' 5, 6')),
    bad('as a list with an empty part', cl(' 5,')),
    bad('with a vertical tab before it', cl(' \x0b5')),
    bad('with a form feed behind it', cl(' 5\x0c')),
    bad('with a NUL behind it', cl(' 5\0')),
    bad('of Arabic digits', cl(' \xd9\xa5')),
    bad('over 64 bits', cl(' 18446744073709551621')),
    bad('over any number', cl(' 99999999999999999999999999')),
    bad('over what a number holds exactly', cl(' 9007199254740993')),
    bad('twice and equal', post(['Content-Length: 5', 'Content-Length: 5'], 'hello')),
    bad('twice and unequal', post(['Content-Length: 5', 'Content-Length: 6'], 'hello')),
    bad('twice in different case', post(['Content-Length: 5', 'content-length: 5'], 'hello')),
    bad('twice with nought', post(['Content-Length: 0', 'Content-Length: 5'], 'hello')),
    bad(
      'twice, with another field between',
      post(['Content-Length: 5', 'X: y', 'Content-Length: 5'], 'hello'),
    ),
    bad('on folded lines', post(['Content-Length:', ' 5'], 'hello')),
    bad('with a space before the colon', post(['Content-Length : 5'], 'hello')),
    bad('with a tab before the colon', post(['Content-Length\t: 5'], 'hello')),
    bad('with a space before the name', post([' Content-Length: 5'], 'hello')),
    bad('with a NUL in the name', post(['Content\0-Length: 5'], 'hello')),
    good(
      'with an underscore in the name is another field',
      post(['Content_Length: 5'], ''),
      '',
      'content_length',
    ),
  ]);
});

describe('transfer-encoding', () => {
  rows([
    good('chunked', te(' chunked'), '"body":"hello"'),
    good('in upper case', te(' CHUNKED'), '"body":"hello"'),
    good('without a space before it', te('chunked'), '"body":"hello"'),
    good('never travels', te(' chunked'), '', 'transfer-encoding'),
    good('on a GET', `GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`, 'hello'),
    bad('empty', te('')),
    bad('identity', te(' identity', '')),
    bad('gzip', te(' gzip')),
    bad('gzip before chunked', te(' gzip, chunked')),
    bad('chunked before gzip', te(' chunked, gzip')),
    bad('chunked twice in a list', te(' chunked, chunked')),
    bad('identity before chunked', te(' identity, chunked')),
    bad('chunked before identity', te(' chunked, identity')),
    bad('an empty part before chunked', te(' , chunked')),
    bad('an empty part behind chunked', te(' chunked,')),
    bad('with a parameter', te(' chunked;q=1')),
    bad('in quotes', te(' "chunked"')),
    bad('in single quotes', te(" 'chunked'")),
    bad('with x before it', te(' xchunked')),
    bad('with x behind it', te(' chunkedx')),
    bad('cut short', te(' chunke')),
    bad('with a vertical tab before it', te(' \x0bchunked')),
    bad('with a vertical tab behind it', te(' chunked\x0b')),
    bad('with a NUL behind it', te(' chunked\0')),
    bad('with a bare CR before it', te(' \rchunked')),
    bad('with a letter above ASCII', te(' chun\xe9ked')),
    bad('on folded lines', post(['Transfer-Encoding:', ' chunked'], CHUNKS)),
    bad('folded behind a name', post(['X: y', ' Transfer-Encoding: chunked'], CHUNKS)),
    bad('with a space before the colon', post(['Transfer-Encoding : chunked'], CHUNKS)),
    bad('with a bare LF before it', post(['X: y\nTransfer-Encoding: chunked'], CHUNKS)),
    bad('with a bare CR before it in a value', post(['X: y\rTransfer-Encoding: chunked'], CHUNKS)),
    bad('twice', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], CHUNKS)),
    bad('twice, identity first', post(['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], CHUNKS)),
    bad('twice, identity last', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], CHUNKS)),
    bad('twice, gzip first', post(['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], CHUNKS)),
    bad('in HTTP/1.0', `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`),
    bad(
      'in HTTP/1.0 with keep-alive',
      `POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
    ),
    good('with an underscore is another field', post(['Transfer_Encoding: chunked'], ''), '', 'chunked'),
  ]);
});

describe('both of them', () => {
  rows([
    bad('length first', post(['Content-Length: 5', 'Transfer-Encoding: chunked'], CHUNKS)),
    bad('coding first', post(['Transfer-Encoding: chunked', 'Content-Length: 5'], CHUNKS)),
    bad('length of nought', post(['Content-Length: 0', 'Transfer-Encoding: chunked'], CHUNKS)),
    bad('length of the whole body', post(['Content-Length: 15', 'Transfer-Encoding: chunked'], CHUNKS)),
    bad(
      'with a hidden request (CL.TE)',
      post(['Content-Length: 40', 'Transfer-Encoding: chunked'], `0\r\n\r\n${HIDDEN}`),
    ),
    bad(
      'with a hidden request (TE.CL)',
      post(['Transfer-Encoding: chunked', 'Content-Length: 4'], `5c\r\n${HIDDEN}`),
    ),
    bad(
      'with an odd coding (TE.TE)',
      post(['Transfer-Encoding: chunked', 'Transfer-Encoding: cow', 'Content-Length: 4'], CHUNKS),
    ),
    bad('with identity', post(['Content-Length: 5', 'Transfer-Encoding: identity'], 'hello')),
    bad(
      'in HTTP/1.0',
      `POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
    ),
    bad(
      'named by Connection',
      post(['Connection: content-length', 'Content-Length: 5', 'Transfer-Encoding: chunked'], CHUNKS),
    ),
  ]);
});

describe('fields that Connection names', () => {
  rows([
    good(
      'cannot be content-length',
      post(['Connection: content-length', 'Content-Length: 5'], 'hello'),
      '"content-length":"5"',
    ),
    good(
      'cannot be transfer-encoding',
      post(['Connection: transfer-encoding', 'Transfer-Encoding: chunked'], CHUNKS),
      'hello',
    ),
    good('cannot be host', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n', '"authority":"a"'),
    good(
      'cannot be authorization',
      'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nConnection: Authorization\r\n\r\n',
      '"authorization":"x"',
    ),
    good(
      'cannot be cookie',
      'GET / HTTP/1.1\r\nHost: a\r\nCookie: x\r\nConnection: cookie\r\n\r\n',
      '"cookie":"x"',
    ),
    good(
      'cannot be x-forwarded-for',
      'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\nConnection: x-forwarded-for\r\n\r\n',
      '"x-forwarded-for":"1"',
    ),
    good(
      'cannot be x-real-ip',
      'GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 1\r\nConnection: X-Real-IP\r\n\r\n',
      '"x-real-ip":"1"',
    ),
    good(
      'cannot be forwarded',
      'GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=1\r\nConnection: forwarded\r\n\r\n',
      'for=1',
    ),
    good(
      'go away',
      'GET / HTTP/1.1\r\nHost: a\r\nOwn: 1\r\nConnection: own, keep-alive\r\n\r\n',
      '',
      '"own"',
    ),
    good(
      'go away, whatever their case',
      'GET / HTTP/1.1\r\nHost: a\r\nOwn: 1\r\nConnection: keep-alive ,OWN\r\n\r\n',
      '',
      '"own"',
    ),
    good(
      'go away from two lines',
      'GET / HTTP/1.1\r\nHost: a\r\nOwn: 1\r\nConnection: keep-alive\r\nConnection: own\r\n\r\n',
      '',
      '"own"',
    ),
  ]);
});
