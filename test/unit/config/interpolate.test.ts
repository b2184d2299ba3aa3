/** What `${…}` becomes, and what is said of wrong ones. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts of configurations hold them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interpolate, looksSecret, typed, type Values } from '../../../src/config/interpolate.ts';

const ENV: Record<string, string> = { PORT: '8080', EMPTY: '', NESTED: '${PORT}', CLOSE: '}', _A1: 'x' };
const values: Values = {
  env: (name) => ENV[name],
  file: (path) => (path === '/key' ? { text: 'from a file' } : { message: `no ${path}` }),
};
const text = (source: string) => interpolate(source, values).text;
const problems = (source: string) => interpolate(source, values).problems.map((problem) => problem.message);

describe('replacements', () => {
  test.each([
    ['plain text', 'plain text'],
    ['', ''],
    ['$PORT is left alone, so is $ and {PORT}', '$PORT is left alone, so is $ and {PORT}'],
    ['${PORT}', '8080'],
    ['a${PORT}b${PORT}c', 'a8080b8080c'],
    ['${_A1}', 'x'],
    ['${EMPTY}', ''],
    ['${EMPTY:-other}', 'other'],
    ['${NONE:-other}', 'other'],
    ['${NONE:-}', ''],
    ['${NONE:-a:-b}', 'a:-b'],
    ['${PORT:-other}', '8080'],
    ['${file:/key}', 'from a file'],
    ['$${PORT}', '${PORT}'],
    ['$${PORT} ${PORT}', '${PORT} 8080'],
    ['$$${PORT}', '$${PORT}'],
  ])('%s', (source, wanted) => {
    expect(problems(source)).toEqual([]);
    expect(text(source)).toBe(wanted);
  });

  test('what was put in is not looked at again', () => {
    expect(text('${NESTED}')).toBe('${PORT}');
    expect(text('${CLOSE}${PORT}')).toBe('}8080');
  });

  test('whole is only what is nothing else', () => {
    const whole = (source: string) => interpolate(source, values).whole;
    expect([
      whole('${PORT}'),
      whole('${PORT} '),
      whole('a${PORT}'),
      whole('${PORT}${PORT}'),
      whole('$${A}'),
    ]).toEqual([true, false, false, false, false]);
  });
});

test.each([
  ['${NONE}', 'the environment variable NONE is not set'],
  ['${PORT', 'a `${` has no closing `}`'],
  ['${}', 'is no replacement'],
  ['${1A}', 'is no replacement'],
  ['${A B}', 'is no replacement'],
  ['${PORT:?must}', 'is no replacement'],
  ['${PORT-x}', 'is no replacement'],
  ['${file:}', 'names no file'],
  ['${file:/other}', 'no /other'],
])('%s is refused', (source, wanted) => {
  expect(problems(source)).toEqual([expect.stringContaining(wanted)]);
});

test('all wrong ones of a value are told', () => {
  expect(problems('${A}${B}')).toHaveLength(2);
});

test('text without `${` stays as it is, whatever it holds', () => {
  fc.assert(
    fc.property(fc.string(), (source) => {
      fc.pre(!source.includes('${'));
      const done = interpolate(source, values);
      expect([done.text, done.changed, done.problems]).toEqual([source, false, []]);
    }),
  );
});

test.each([
  ['8080', 8080],
  ['-1', -1],
  ['0.5', 0.5],
  ['0', 0],
  ['true', true],
  ['false', false],
  ['yes', 'yes'],
  ['', ''],
  ['007', '007'],
  ['1e3', '1e3'],
  ['0x10', '0x10'],
  ['1.0', '1.0'],
  ['12345678901234567890', '12345678901234567890'],
  ['null', 'null'],
  [' 1', ' 1'],
])('typed: %j', (source, wanted) => {
  expect(typed(source)).toBe(wanted);
});

test('names of secrets are known, others are not', () => {
  for (const name of [
    'API_TOKEN',
    'DB_PASSWORD',
    'JWT_SECRET',
    'PRIVATE_KEY',
    'API_KEY',
    'APIKEY',
    'REDIS_AUTH',
    'db_pwd',
  ])
    expect(looksSecret(name), name).toBe(true);
  for (const name of ['PORT', 'HOST', 'KEYBOARD', 'AUTHOR', 'MONKEY', 'PINS_URL'])
    expect(looksSecret(name), name).toBe(false);
});
