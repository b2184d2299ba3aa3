/** The order of parts: as early as what they need allows, and circles found wherever they are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { circleOf, stagesOf } from '../../../src/config/part-order.ts';

const parts = (needs: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(needs).map(([name, of]) => ({ name, needs: of }));

test('all that can run side by side does', () => {
  expect(stagesOf(parts({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'], e: [] }))).toEqual([
    ['a', 'e'],
    ['b', 'c'],
    ['d'],
  ]);
});

test('a circle is told from its first to its first, without those who only wait for it', () => {
  expect(circleOf(parts({ x: ['a'], a: ['b'], b: ['c'], c: ['a'], d: [] }))).toEqual(['a', 'b', 'c', 'a']);
  expect(circleOf(parts({ a: ['a'] }))).toEqual(['a', 'a']);
  expect(circleOf(parts({ a: [], b: ['a'] }))).toBeNull();
});

test('either every part has its stage, after all that it needs, or there is a circle that is one', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const graph = fc.record(
    Object.fromEntries(names.map((name) => [name, fc.subarray(names, { maxLength: 2 })])),
  );
  fc.assert(
    fc.property(graph, (needs) => {
      const all = parts(needs as Record<string, string[]>);
      const stages = stagesOf(all);
      const circle = circleOf(all);
      expect(circle === null).toBe(stages.flat().length === names.length);
      for (const [at, stage] of stages.entries())
        for (const name of stage)
          for (const need of needs[name]!) expect(stages.slice(0, at).flat()).toContain(need);
      for (const [at, name] of (circle ?? []).slice(0, -1).entries())
        expect(needs[name]).toContain(circle![at + 1]);
    }),
  );
});
