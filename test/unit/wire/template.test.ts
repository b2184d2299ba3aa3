/** Templates: words in braces, braces that stand for themselves, and what is neither. */
import { expect, test } from 'vitest';
import { parameterOf, parseTemplate, partReference, TemplateError } from '../../../src/wire/template.ts';
import { WordError } from '../../../src/wire/words.ts';

test.each([
  ['plain', ['plain']],
  ['', ['']],
  ['{a.b}', ['', 'a.b', '']],
  ['x{a}y{b}z', ['x', 'a', 'y', 'b', 'z']],
  ['{ a.b }', ['', 'a.b', '']],
  ['{{a}}', ['{a}']],
  ['{{{a}}}', ['{', 'a', '}']],
  ['{claims["https://x/{y}"]}', ['', 'claims["https://x/{y}"]', '']],
])('%s', (text, pieces) => expect(parseTemplate(text)).toEqual(pieces));

test.each(['{', '}', 'a{b', 'a}b', '{a{b}}c'])('%s is none', (text) =>
  expect(() => parseTemplate(text)).toThrow(TemplateError),
);

test('a reference names a part and the way into its answer', () => {
  expect(partReference('parts.user')).toEqual({ part: 'user', steps: [] });
  expect(partReference('parts.user.items.0["a.b"]')).toEqual({ part: 'user', steps: ['items', '0', 'a.b'] });
  expect(partReference('partsman.x')).toBeNull();
  expect(partReference('claims.parts')).toBeNull();
  for (const bad of ['parts', 'parts.', 'parts[0]']) expect(() => partReference(bad), bad).toThrow(WordError);
});

test('a parameter is told apart from other words', () => {
  expect([parameterOf('params.id'), parameterOf('path'), parameterOf('query.params')]).toEqual([
    'id',
    null,
    null,
  ]);
});
