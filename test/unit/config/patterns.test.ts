/** What the configuration lets through is what the router takes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Refusal } from '../../../src/config/forms.ts';
import { readHost, readMethod, readPath, readRewrite } from '../../../src/config/patterns.ts';
import { parseHost } from '../../../src/router/host.ts';
import { parsePattern } from '../../../src/router/pattern.ts';

const pathPieces = fc.constantFrom(
  '/',
  '/a',
  '/',
  '*',
  '**',
  '{id}',
  '{a-b}',
  '{',
  '}',
  '.',
  '..',
  '%20',
  '%2f',
  '%2e',
  '%',
  '%5C',
  '%00',
  'é',
  ' ',
  '?',
  '#',
  '\\',
  'b',
  '"',
  '~',
  ':',
  ';',
  '|',
);
const hostPieces = fc.constantFrom(
  'a',
  '.',
  '*',
  '*.',
  '{t}',
  '{',
  '}',
  '-',
  '_',
  ':80',
  '[',
  ']',
  '[::1]',
  'é',
  '/',
  ' ',
  '1',
  'B',
  'example',
);

test('every path that is let through compiles', () => {
  let good = 0;
  fc.assert(
    fc.property(fc.array(pathPieces, { minLength: 1, maxLength: 6 }), (pieces) => {
      const path = pieces.join('');
      if (readPath(path) instanceof Refusal) return;
      good++;
      expect(() => parsePattern(path), path).not.toThrow();
    }),
    { numRuns: 5000 },
  );
  expect(good).toBeGreaterThan(100);
});

test('every host that is let through compiles', () => {
  let good = 0;
  fc.assert(
    fc.property(fc.array(hostPieces, { minLength: 1, maxLength: 6 }), (pieces) => {
      const host = pieces.join('');
      if (readHost(host) instanceof Refusal) return;
      good++;
      expect(() => parseHost(host), host).not.toThrow();
    }),
    { numRuns: 5000 },
  );
  expect(good).toBeGreaterThan(100);
});

test.each([
  '/',
  '/**',
  '/a',
  '/a/',
  '/a/**',
  '/a/*/b',
  '/users/{id}',
  '/{a}/{b-c}/**',
  '/a%20b',
  '/~a/b.c',
  '/a;v=1',
  '/a:b',
])('the path %s is good', (path) => {
  expect(readPath(path)).not.toBeInstanceOf(Refusal);
});

test.each([
  'a',
  'A.example',
  '*.example',
  '*',
  '{t}.example',
  'a.{t}.example',
  '10.0.0.1',
  '[::1]',
  'a-b_c.example',
])('the host %s is good', (host) => {
  expect(readHost(host)).not.toBeInstanceOf(Refusal);
});

test('a rewrite knows its parameters, wherever they stand', () => {
  expect(readRewrite('/v2/{a}-{b}/x.{c-d}')).toEqual({ parameters: ['a', 'b', 'c-d'] });
  for (const bad of ['v2', '/a//b', '/a/*', '/{', '/a/{}', '/a/{1}', '/../a', '/a?b'])
    expect(readRewrite(bad), bad).toBeInstanceOf(Refusal);
});

test('methods are tokens in capitals', () => {
  for (const good of ['GET', 'PURGE', 'M-SEARCH']) expect(readMethod(good)).toBe(good);
  for (const bad of ['get', 'GET,POST', 'GE T', '', 'TRACE', 'CONNECT', '*', 'G(T'])
    expect(readMethod(bad), bad).toBeInstanceOf(Refusal);
});
