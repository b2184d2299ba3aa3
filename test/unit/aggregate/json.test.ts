/** JSON as text: cut as JSON.parse would read it, whatever stands in it, and bounded before it is parsed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  elementsOf,
  joinMembers,
  jsonProblem,
  membersOf,
  plainText,
  valueAt,
} from '../../../src/aggregate/json.ts';

const BOUNDS = { depth: 4, keys: 5 };

/** JSON with spaces, escapes and odd names in it. */
const json = fc
  .tuple(fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme-composite' }), fc.constantFrom(undefined, 1, '\t'))
  .map(([value, indent]) => JSON.stringify(value, null, indent));

describe('bounds', () => {
  test.each([
    ['{"a":[{"b":[1]}]}', null],
    ['[[[[[]]]]]', 'deeper than 4 maps and lists'],
    ['{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}', 'more than 5 members'],
    ['{"a":"{[{[{[:::::::"}', null],
    ['{"a":"\\"{[{[{["}', null],
    ['{"a":1', 'not JSON'],
    ['{"a":1}}', 'not JSON'],
    ['', 'not JSON'],
    ["{'a':1}", 'not JSON'],
    ['"open', 'not JSON'],
    ['NaN', 'not JSON'],
  ])('%s: %s', (text, problem) => expect(jsonProblem(text, BOUNDS)).toBe(problem));

  test('what is too deep is never parsed, however long it is', () => {
    expect(jsonProblem('['.repeat(5_000_000), BOUNDS)).toBe('deeper than 4 maps and lists');
    expect(jsonProblem(`"${'\\'.repeat(5_000_000)}`, BOUNDS)).toBe('not JSON');
  });

  test('a problem never quotes the text', () => {
    expect(jsonProblem('{"password": hunter2}', BOUNDS)).toBe('not JSON');
  });
});

describe('cutting', () => {
  test('the members of a map are what JSON.parse sees', () => {
    fc.assert(
      fc.property(json, (text) => {
        const value = JSON.parse(text) as unknown;
        const members = membersOf(text);
        const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
        expect(members !== null).toBe(isMap);
        if (members === null) return;
        expect(new Map([...members].map(([name, part]) => [name, JSON.parse(part)]))).toEqual(
          new Map(Object.entries(value as object)),
        );
        expect(JSON.parse(joinMembers(members))).toEqual(value);
      }),
    );
  });

  test('the elements of a list are what JSON.parse sees', () => {
    fc.assert(
      fc.property(fc.array(json), (texts) => {
        const elements = elementsOf(`[ ${texts.join(' ,\n')} ]`)!;
        expect(elements.map((element) => JSON.parse(element))).toEqual(texts.map((text) => JSON.parse(text)));
      }),
    );
  });

  test('numbers keep their digits, and of a name that stands twice the last one counts', () => {
    expect([...membersOf('{"n":12345678901234567890 , "n":1.10,"m":-0}')!]).toEqual([
      ['n', '1.10'],
      ['m', '-0'],
    ]);
  });

  test('names are only names', () => {
    const members = membersOf('{"__proto__":{"x":1},"constructor":2,"a\\"b":3}')!;
    expect([...members.keys()]).toEqual(['__proto__', 'constructor', 'a"b']);
    expect(joinMembers(members)).toBe('{"__proto__":{"x":1},"constructor":2,"a\\"b":3}');
  });
});

test('a value is found by its steps, and only if it is there itself', () => {
  const text = '{"a":[{"b/c":{"":1}},"x"],"0":"zero"}';
  expect(valueAt(text, [])).toBe(text);
  expect(valueAt(text, ['a', '0', 'b/c', ''])).toBe('1');
  expect(valueAt(text, ['a', '1'])).toBe('"x"');
  expect(valueAt(text, ['0'])).toBe('"zero"');
  for (const steps of [
    ['b'],
    ['a', '2'],
    ['a', '-'],
    ['a', '01'],
    ['a', 'length'],
    ['toString'],
    ['a', '1', 'x'],
  ])
    expect(valueAt(text, steps), steps.join('/')).toBeNull();
});

test('plain text is of strings, numbers, booleans and lists of them', () => {
  const texts = ['"a\\u0062"', ' 12345678901234567890 ', '1.50', 'true', '[1,"b",false]'].map(plainText);
  expect(texts).toEqual(['ab', '12345678901234567890', '1.50', 'true', '1,b,false']);
  for (const none of ['null', '{}', '[]', '[[1]]', '[null]', '[{}]'])
    expect(plainText(none), none).toBeNull();
});
