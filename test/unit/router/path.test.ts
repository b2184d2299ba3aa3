/** The canonical path: what is normalised, what is refused, and that there is one form only. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalPath } from '../../../src/router/path.ts';

const STRICT = { encodedSlash: false, doubleSlash: false };
const LOOSEST = { encodedSlash: true, doubleSlash: true };

describe('a path keeps its meaning and gets one spelling', () => {
  test.each([
    ['/', '/'],
    ['/a/b.c/d-e_f~g', '/a/b.c/d-e_f~g'],
    ["/!$&'()*+,;=:@", "/!$&'()*+,;=:@"],
    ['/a;v=1/b', '/a;v=1/b'],
    ['/%61%2d%5F%7e%2E5', '/a-_~.5'],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/%ff', '/%FF'],
    ['/a%20b', '/a%20b'],
    ['/a%3fb%23c', '/a%3Fb%23c'],
    ['/a{b}|c^d`e<f>g"', '/a%7Bb%7D%7Cc%5Ed%60e%3Cf%3Eg%22'],
    ['/%252F', '/%252F'],
    ['/%25%32%66', '/%252f'],
    ['/%252e%252e/x', '/%252e%252e/x'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/b/../../c', '/c'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.', '/a/'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/.', '/'],
    ['/.well-known/x', '/.well-known/x'],
    ['/...', '/...'],
    ['/..a/b', '/..a/b'],
    ['/a/', '/a/'],
  ])('%s becomes %s', (raw, canonical) => {
    expect(canonicalPath(raw, STRICT)).toBe(canonical);
  });
});

describe('an ambiguous or malformed path is refused', () => {
  test.each([
    '',
    '*',
    'a/b',
    'http://x/a',
    '/a%2Fb',
    '/a%2fb',
    '/a%5Cb',
    '/a\\b',
    '/a%5cb',
    '/a%00b',
    '/a%0d%0aX',
    '/a%1Fb',
    '/a%7F',
    '/a b',
    '/a\tb',
    '/a\0b',
    '/a#b',
    '/a?b',
    '/é',
    '/a%',
    '/a%4',
    '/a%zz',
    '/a%4g',
    '/a%u0041',
    '/..',
    '/../a',
    '/a/../../b',
    '/%2e%2e/a',
    '/a/%2E./../b',
    '//',
    '//a',
    '/a//b',
    '/a/b//',
    '/a/..;/b',
    '/a/..;x=1/b',
    '/a/.;/b',
    '/a/..%3B/b',
    '/a/%2e%2e;/b',
  ])('%j', (raw) => {
    expect(canonicalPath(raw, STRICT)).toBeNull();
  });
});

describe('what a route allows', () => {
  test.each([
    ['/a%2fb', { encodedSlash: true, doubleSlash: false }, '/a%2Fb'],
    ['/a//b', { encodedSlash: false, doubleSlash: true }, '/a//b'],
    ['/a//../b', { encodedSlash: false, doubleSlash: true }, '/a/b'],
    ['/a%2f/b', { encodedSlash: true, doubleSlash: false }, null],
    ['/a/%2Fb', { encodedSlash: true, doubleSlash: false }, null],
    ['/a%2F%2Fb', { encodedSlash: true, doubleSlash: false }, null],
    ['/a%2F%2Fb', LOOSEST, '/a%2F%2Fb'],
    ['/a%2F..%2Fb', LOOSEST, null],
    ['/a/..%2Fb', LOOSEST, null],
    ['/a/%2e%2e%2fb', LOOSEST, null],
    ['/a%2F..', LOOSEST, null],
    ['/a%2F..;x/b', LOOSEST, null],
    ['/a%2F.hidden', LOOSEST, '/a%2F.hidden'],
    ['/a%5Cb', LOOSEST, null],
    ['/a%00', LOOSEST, null],
    ['//..', LOOSEST, '/'],
    ['//../..', LOOSEST, null],
  ])('%s with %j gives %s', (raw, allow, canonical) => {
    expect(canonicalPath(raw, allow)).toBe(canonical);
  });
});

const piece = fc.constantFrom(
  '/',
  '/',
  'a',
  '.',
  '..',
  '%2F',
  '%2e',
  '%25',
  '2F',
  '%5C',
  ';',
  '%',
  '{',
  'B',
  '%c3',
  '\\',
  'é',
);
const path = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

test.each([STRICT, LOOSEST])('the canonical form is its own canonical form, with %j', (allow) => {
  fc.assert(
    fc.property(path, (raw) => {
      const canonical = canonicalPath(raw, allow);
      fc.pre(canonical !== null);
      expect(canonicalPath(canonical!, allow)).toBe(canonical);
    }),
    { numRuns: 2000 },
  );
});

test('no segment of a canonical path is a dot segment, decoded once or as it is', () => {
  fc.assert(
    fc.property(path, (raw) => {
      const canonical = canonicalPath(raw, LOOSEST);
      fc.pre(canonical !== null);
      const parts = `${canonical}/${canonical!.replaceAll('%2F', '/').replaceAll('%3B', ';')}`.split('/');
      expect(
        parts.map((part) => part.replace(/;.*/s, '')).filter((part) => part === '.' || part === '..'),
      ).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});
