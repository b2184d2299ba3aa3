/** What a plugin's schema finds wrong, in words, with the place in the file and what was meant. */
import { expect, test } from 'vitest';
import { readIssues } from '../../../src/pipeline/config-issues.ts';
import { z } from '../../../src/plugin.ts';

const schema = z
  .strictObject({
    origins: z.array(z.string()).min(1, 'needs at least one'),
    limit: z.strictObject({ perSecond: z.number() }).optional(),
    rules: z.array(z.strictObject({ name: z.string() })).default([]),
    byName: z
      .record(z.string().regex(/^[a-z]+$/, 'must be lower case'), z.strictObject({ weight: z.number() }))
      .default({}),
    add: z.union([z.string(), z.array(z.string())]).default([]),
  })
  .refine((value) => value.origins[0] !== 'x', 'must not begin with x');

const shown = (value: unknown) => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  const issues = readIssues({ schema, value, base: ['plugins', 'p'] }, parsed.error.issues);
  return issues.map(({ path, message, remedy }) => [path.slice(2).join('.'), message, remedy]);
};

const CASES: [value: unknown, path: string, message: string, remedy: string | null][] = [
  [{}, 'origins', '`origins` is missing', null],
  [{ origins: [] }, 'origins', '`origins` needs at least one', null],
  [{ origins: 5 }, 'origins', '`origins` expected array, received number', null],
  [{ origins: ['a', 5] }, 'origins.1', '`origins.1` expected string, received number', null],
  [{ origins: ['x'] }, '', 'must not begin with x', null],
  [{ origins: ['a'], limits: {} }, 'limits', 'unknown key `limits`', 'Did you mean `limit`?'],
  [
    { origins: ['a'], limit: { perSecond: 1, persecnd: 2 } },
    'limit.persecnd',
    'unknown key `persecnd`',
    'Did you mean `perSecond`?',
  ],
  [
    { origins: ['a'], rules: [{ name: 'n', nmae: 'm' }] },
    'rules.0.nmae',
    'unknown key `nmae`',
    'Did you mean `name`?',
  ],
  [
    { origins: ['a'], byName: { a: { weight: 1, wieght: 2 } } },
    'byName.a.wieght',
    'unknown key `wieght`',
    'Did you mean `weight`?',
  ],
  [{ origins: ['a'], byName: { A: { weight: 1 } } }, 'byName.A', '`A`: must be lower case', null],
  [{ origins: ['a'], add: ['b', 5] }, 'add.1', '`add.1` expected string, received number', null],
];

for (const [value, ...expected] of CASES) {
  test(`${JSON.stringify(value)}: ${expected[1]}`, () => {
    expect(shown(value)).toEqual([expected]);
  });
}

test('everything is told at once', () => {
  expect(shown({ origins: 1, limit: 2, other: 3 })).toHaveLength(3);
});

test('a schema of another make gives places, only no suggestions', () => {
  const issues = readIssues({ schema: {}, value: {}, base: [] }, [
    { code: 'unrecognized_keys', keys: ['a'], path: [], message: 'no', input: {} },
  ]);
  expect(issues).toEqual([{ message: 'unknown key `a`', path: ['a'], remedy: null }]);
});
