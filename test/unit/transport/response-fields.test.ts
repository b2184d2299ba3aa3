import { expect, test } from 'vitest';
import { responseFields, responseTrailers } from '../../../src/transport/response-fields.ts';

const read = (text: string) => responseFields(text.split(/: |\r\n/));

test('names are lower case, values latin-1, repeated ones a list, set-cookie always', () => {
  const { fields } = read('X-A: \xe9\r\nx-b: 1\r\nX-B: 2\r\nSet-Cookie: c');
  expect({ ...fields }).toEqual({ 'x-a': '\xe9', 'x-b': ['1', '2'], 'set-cookie': ['c'] });
});

test('a field called __proto__ is a field', () => {
  const { fields } = read('__proto__: x\r\nx-a: 1');
  expect(Object.keys(fields)).toEqual(['__proto__', 'x-a']);
  expect(Object.getPrototypeOf(fields)).toBe(null);
});

test('what connection names goes, but never what the message needs', () => {
  const { fields, connection } = read(
    'Connection: Keep-Alive, X-Gone\r\nconnection: content-length, set-cookie\r\nx-gone: 1\r\ncontent-length: 2\r\nset-cookie: a',
  );
  expect(Object.keys(fields)).toEqual(['content-length', 'set-cookie']);
  expect(connection).toBe('keep-alive, x-gone,content-length, set-cookie');
});

test.each([
  ['timeout=5', 5],
  ['max=100, timeout=20', 20],
  ['timeout=x', null],
  ['mytimeout=5', null],
])('keep-alive: %s means %s', (value, seconds) => {
  expect(read(`keep-alive: ${value}`).keepAliveSeconds).toBe(seconds);
});

test.each([
  ['chunked', null],
  ['Chunked', null],
  ['gzip', 'transfer-encoding: gzip'],
  ['gzip, chunked', 'transfer-encoding: gzip, chunked'],
])('transfer-encoding: %s has the problem %s', (value, problem) => {
  expect(read(`transfer-encoding: ${value}`).problem).toBe(problem);
});

test('no trailers are null, and trailers of the connection are dropped', () => {
  expect(responseTrailers([])).toBe(null);
  expect({ ...responseTrailers(['x-sum', '1', 'Connection', 'x']) }).toEqual({ 'x-sum': '1' });
});
