/** The word that somebody probably meant. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, meant, suggest } from '../../../src/config/suggest.ts';

const keys = ['upstream', 'stripPrefix', 'timeout', 'timeouts', 'path', 'host', 'retry'];

test.each([
  ['upstrem', 'upstream'],
  ['Upstream', 'upstream'],
  ['strip_prefix', 'stripPrefix'],
  ['strip-prefix', 'stripPrefix'],
  ['timout', 'timeout'],
  ['pahT', 'path'],
  ['retries', 'retry'],
  ['service', 'upstream'],
  ['colour', null],
  ['', null],
  ['x'.repeat(10_000), null],
])('%s', (word, wanted) => {
  expect(suggest(word, keys)).toBe(wanted);
});

test('what there is is listed where nothing is near', () => {
  expect(meant('zzzz', ['a', 'bb'])).toBe('There are: a, bb.');
  expect(meant('zzzz', ['bb'])).toBe('There is: bb.');
  expect(meant('zzzz', [])).toBeNull();
});

test('the distance is the same both ways, and 0 only for the same word', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
      expect(editDistance(a, b, 20)).toBe(editDistance(b, a, 20));
      expect(editDistance(a, b, 20) === 0).toBe(a === b);
    }),
  );
});
