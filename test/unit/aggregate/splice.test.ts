/** Members put into the elements of a list: where they belong, and without a change to any other character. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shapedSteps } from '../../../src/aggregate/shape.ts';
import { spliceMembers } from '../../../src/aggregate/splice.ts';

const splice = (json: string, values: readonly string[], steps: readonly string[] = [], name = 'p') =>
  spliceMembers(json, steps, { name, values });

test.each([
  ['[{"a":1},{}]', ['1', '2'], '[{"a":1,"p":1},{"p":2}]', 0],
  ['[ {"a": 1e400 , "a":2 }\n, { } ]', ['[1]', '{}'], '[ {"a": 1e400 , "a":2 ,"p":[1]}\n, { "p":{}} ]', 0],
  ['[{"p" : 1 ,"b":2}]', ['{"c":3}'], '[{"p" : {"c":3} ,"b":2}]', 1],
  ['[{"p":1,"p":2}]', ['3'], '[{"p":1,"p":3}]', 1],
  ['[{"q":{"p":1},"s":"}"}]', ['2'], '[{"q":{"p":1},"s":"}","p":2}]', 0],
  // Fewer values than elements, and elements that can take none.
  ['[{},1,{},null,{}]', ['1', '2', '3', '4'], '[{"p":1},1,{"p":3},null,{}]', 0],
  ['[]', ['1'], '[]', 0],
  ['{"a":1}', ['1'], '{"a":1}', 0],
] as [string, string[], string, number][])('%s', (json, values, wanted, replaced) =>
  expect(splice(json, values)).toEqual({ json: wanted, replaced }),
);

test('the list may stand deep, and of a name that stands twice the last one is meant', () => {
  const json = '{"x":[{}], "x" : {"y/z":[[0],[{"a":1}] ]}}';
  expect(splice(json, ['2'], ['x', 'y/z', '1']).json).toBe(
    '{"x":[{}], "x" : {"y/z":[[0],[{"a":1,"p":2}] ]}}',
  );
  for (const steps of [['y'], ['x', 'y/z', '2'], ['x', 'y/z', '0', '0']])
    expect(splice(json, ['2'], steps), steps.join()).toEqual({ json, replaced: 0 });
});

test('names are only names', () => {
  expect(splice('[{}]', ['{"x":1}'], [], '__proto__').json).toBe('[{"__proto__":{"x":1}}]');
  expect(splice('[{"a\\"b":1}]', ['2'], [], 'a"b').json).toBe('[{"a\\"b":2}]');
});

test('whatever the list holds, each map in it gets its member and nothing else changes', () => {
  const list = fc.array(fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme-composite' }), { maxLength: 6 });
  fc.assert(
    fc.property(list, fc.constantFrom(undefined, 1, '\t'), fc.string(), (elements, indent, name) => {
      const json = JSON.stringify(elements, null, indent);
      const values = elements.map((_element, at) => String(at));
      const plain = JSON.parse(json) as unknown[];
      const wanted = plain.map((element, at) =>
        typeof element === 'object' && element !== null && !Array.isArray(element)
          ? Object.fromEntries([...Object.entries(element).filter(([key]) => key !== name), [name, at]])
          : element,
      );
      expect(JSON.parse(splice(json, values, [], name).json)).toEqual(wanted);
    }),
  );
});

test('a place is found again once members have other names', () => {
  const rename = { items: 'lines', a: 'b' };
  expect(shapedSteps('{"lines":[]}', ['items'], rename)).toEqual(['lines']);
  expect(shapedSteps('{"lines":[]}', ['items', 'a'], rename)).toEqual(['lines', 'a']);
  expect(shapedSteps('[{"lines":[]}]', ['0', 'items'], rename)).toEqual(['0', 'lines']);
  expect(shapedSteps('[]', [], rename)).toEqual([]);
  expect(shapedSteps('{"x":1}', ['x'], {})).toEqual(['x']);
});
