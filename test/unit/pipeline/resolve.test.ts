/** The three scopes of plugins laid over each other. */
import { expect, test } from 'vitest';
import type { PluginUses } from '../../../src/config/types.ts';
import { resolveUses } from '../../../src/pipeline/resolve.ts';

const uses = (scope: string, ...names: string[]): PluginUses =>
  Object.assign(
    Object.create(null),
    Object.fromEntries(
      names.map((name) =>
        name.startsWith('-') ? [name.slice(1), false] : [name, { type: name, config: scope, path: [name] }],
      ),
    ),
  );

const shown = (...of: Parameters<typeof resolveUses>) =>
  resolveUses(...of).map(({ scope, name, use }) => `${scope}:${name}:${use.config}`);

test('wider scopes stand first, and each keeps the file’s order', () => {
  expect(shown(uses('g', 'b', 'a'), uses('u', 'd', 'c'), uses('r', 'f', 'e'))).toEqual([
    'global:b:g',
    'global:a:g',
    'upstream:d:u',
    'upstream:c:u',
    'route:f:r',
    'route:e:r',
  ]);
});

test('the same name in a narrower scope replaces the wider one, and stands in its own scope', () => {
  expect(shown(uses('g', 'a', 'b'), uses('u', 'c'), uses('r', 'a'))).toEqual([
    'global:b:g',
    'upstream:c:u',
    'route:a:r',
  ]);
  expect(shown(uses('g', 'a'), uses('u', 'a'), uses('r', 'a'))).toEqual(['route:a:r']);
});

test('false takes away what a wider scope put there, and nothing else', () => {
  expect(shown(uses('g', 'a', 'b'), uses('u', '-a', 'c'), uses('r', '-c', '-none'))).toEqual(['global:b:g']);
  expect(shown(uses('g', 'a'), uses('u', '-a'), uses('r', 'a'))).toEqual(['route:a:r']);
});

test('no uses give none', () => {
  expect(shown(uses('g'), uses('u'), uses('r'))).toEqual([]);
});
