/** Members of an answer picked, dropped and renamed, without a change to what stays. */
import { expect, test } from 'vitest';
import { compileShape, type ShapeOptions } from '../../../src/aggregate/shape.ts';

const shape = (options: Partial<ShapeOptions>, json: string) =>
  compileShape({ pick: null, drop: [], rename: {}, ...options })?.(json);

test.each([
  [{ pick: ['b', 'a'] }, '{"a":1,"b":{"x": 1 },"c":2}', '{"a":1,"b":{"x": 1 }}'],
  [{ drop: ['a'] }, '{"a":1,"b":2}', '{"b":2}'],
  [{ rename: { a: 'z' } }, '{"a":1,"b":2}', '{"z":1,"b":2}'],
  [{ pick: ['a'], rename: { a: 'z' } }, '{"a":1,"b":2}', '{"z":1}'],
  [{ rename: { a: 'b', b: 'a' } }, '{"a":1,"b":2}', '{"b":1,"a":2}'],
  [{ pick: ['a'] }, '[{"a":1,"b":2},{"b":3},{"a":{"b":4}}]', '[{"a":1},{},{"a":{"b":4}}]'],
  [{ pick: ['__proto__'] }, '{"__proto__":1,"a":2}', '{"__proto__":1}'],
  [{ pick: [] }, '{"a":1}', '{}'],
  [{ pick: ['a'] }, '[]', '[]'],
] as [Partial<ShapeOptions>, string, string][])('%j of %s', (options, json, wanted) =>
  expect(shape(options, json)).toBe(wanted),
);

test('what is neither a map nor a list of maps has no members', () => {
  for (const json of ['1', '"a"', 'null', '[1]', '[{"a":1},[]]'])
    expect(shape({ pick: ['a'] }, json)).toBeNull();
});

test('without changes there is no shape at all: the text passes as it is', () => {
  expect(compileShape({ pick: null, drop: [], rename: {} })).toBeNull();
});
