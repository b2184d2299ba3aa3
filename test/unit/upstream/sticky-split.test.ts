/** A split by key: always the same way, the weights kept over many keys, and few keys moved by a change. */
import { expect, test } from 'vitest';
import { createStickySplit } from '../../../src/upstream/sticky-split.ts';

const KEYS = Array.from({ length: 20_000 }, (_, at) => `user-${at}`);
const splitOf = (weights: Record<string, number>) =>
  createStickySplit(Object.entries(weights).map(([name, weight]) => ({ name, weight, value: name })));
const waysOf = (weights: Record<string, number>) => {
  const split = splitOf(weights);
  return KEYS.map((key) => split.of(key));
};
const shareOf = (ways: readonly string[], name: string) =>
  ways.filter((way) => way === name).length / ways.length;

test('a key goes the same way each time, whatever stands first in the file', () => {
  expect(waysOf({ a: 90, b: 10 })).toEqual(waysOf({ a: 90, b: 10 }));
  expect(waysOf({ a: 90, b: 10 })).toEqual(waysOf({ b: 10, a: 90 }));
});

test('the ways are the ones that every gateway has had so far', () => {
  const split = splitOf({ stable: 80, canary: 20 });
  const ways = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus', 'hal', 'ivy', 'joe'].map((key) =>
    split.of(key),
  );
  expect(ways).toMatchInlineSnapshot(`
    [
      "stable",
      "stable",
      "stable",
      "stable",
      "stable",
      "stable",
      "stable",
      "stable",
      "canary",
      "stable",
    ]
  `);
});

test.each([[{ a: 90, b: 10 }], [{ a: 1, b: 1 }], [{ a: 99, b: 1 }], [{ a: 50, b: 30, c: 20 }]] as const)(
  'over many keys the shares are those of %j',
  (weights) => {
    const ways = waysOf(weights);
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
    for (const [name, weight] of Object.entries(weights)) {
      const share = weight / total;
      // Four standard deviations.
      const bound = 4 * Math.sqrt((share * (1 - share)) / KEYS.length);
      expect(Math.abs(shareOf(ways, name) - share)).toBeLessThan(bound);
    }
  },
);

test('a canary that grows keeps whom it had, and nobody goes back', () => {
  const steps = [1, 5, 10, 25, 50, 100].map((canary) => waysOf({ stable: 100 - canary, canary }));
  for (const [at, after] of steps.entries()) {
    const before = steps[at - 1];
    if (before === undefined) continue;
    for (const [key, way] of before.entries()) if (way === 'canary') expect(after[key]).toBe('canary');
  }
  expect(shareOf(steps.at(-1)!, 'canary')).toBe(1);
});

test('a new choice takes its share from all and moves nobody between the others', () => {
  const before = waysOf({ a: 50, b: 50 });
  const after = waysOf({ a: 50, b: 50, c: 25 });
  for (const [key, way] of after.entries()) if (way !== 'c') expect(way).toBe(before[key]);
});

test('a choice without weight is never taken, and no weight at all is refused', () => {
  expect(shareOf(waysOf({ a: 1, b: 0 }), 'b')).toBe(0);
  expect(() => splitOf({ a: 0 })).toThrow(RangeError);
});
