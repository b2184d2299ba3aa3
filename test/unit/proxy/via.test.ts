import { expect, test } from 'vitest';
import { appendVia, detectLoop } from '../../../src/proxy/via.ts';
import { fieldsOf } from '../../kit/proxy.ts';

test('our entry ends the chain', () => {
  const fields = fieldsOf({ via: ['1.0 fred', '1.1 nowhere.com (Apache/1.1)'] });
  appendVia(fields, '1.1', 'snowgate');
  expect(fields.via).toBe('1.0 fred, 1.1 nowhere.com (Apache/1.1), 1.1 snowgate');
  const none = fieldsOf();
  appendVia(none, '1.1', 'snowgate');
  expect(none.via).toBe('1.1 snowgate');
});

test.each([
  ['1.1 snowgate', true],
  ['1.1 other, 1.1 snowgate', true],
  ['HTTP/1.1 snowgate (v1)', true],
  ['1.1\tsnowgate', true],
  ['1.1 a (never closed, 1.1 snowgate', true],
  ['1.1 "a, 1.1 snowgate', true],
  ['1.1 snowgate-eu', false],
  ['1.1 my-snowgate', false],
  ['snowgate fred', false],
  ['1.1 fred', false],
  ['', false],
])('in %j a loop is %s', (via, loops) => {
  expect(detectLoop(fieldsOf({ via }), 'snowgate')).toBe(loops);
});

test('no Via is no loop, and lines are read as one list', () => {
  expect(detectLoop(fieldsOf(), 'snowgate')).toBe(false);
  expect(detectLoop(fieldsOf({ via: ['1.1 a', '1.1 snowgate'] }), 'snowgate')).toBe(true);
});

test('more than 64 hops are a loop, whatever their names', () => {
  const hops = (count: number) => fieldsOf({ via: Array.from({ length: count }, (_, at) => `1.1 h${at}`) });
  expect(detectLoop(hops(64), 'snowgate')).toBe(false);
  expect(detectLoop(hops(65), 'snowgate')).toBe(true);
});
