/** The end of a turn: once for each who asked, in order, whatever one of them does. */
import { expect, test } from 'vitest';
import { atTurnEnd } from '../../../src/kernel/turn-end.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** What nothing catches meanwhile, taken from the test runner. */
const uncaughtIn = async (work: () => Promise<unknown>): Promise<unknown[]> => {
  const others = process.listeners('uncaughtException');
  const caught: unknown[] = [];
  const note = (error: unknown) => caught.push(error);
  process.removeAllListeners('uncaughtException').on('uncaughtException', note);
  try {
    await work();
  } finally {
    process.off('uncaughtException', note);
    for (const other of others) process.on('uncaughtException', other);
  }
  return caught;
};

test('all are told in their order, after the turn in which they asked', async () => {
  const told: number[] = [];
  for (const n of [1, 2, 3]) atTurnEnd({ turnEnded: () => told.push(n) });
  await Promise.resolve();
  expect(told).toEqual([]);
  await nextTurn();
  expect(told).toEqual([1, 2, 3]);
  await nextTurn();
  expect(told).toEqual([1, 2, 3]);
});

test('who asks at the end of a turn is told at the end of the next one', async () => {
  const told: string[] = [];
  const second = { turnEnded: () => told.push('second') };
  const first = {
    turnEnded: () => {
      told.push('first');
      atTurnEnd(second);
    },
  };
  atTurnEnd(first);
  await nextTurn();
  expect(told).toEqual(['first']);
  await nextTurn();
  expect(told).toEqual(['first', 'second']);
});

test('those who throw take the turn of nobody else, and none is told twice', async () => {
  const told: number[] = [];
  const faults = [new Error('one'), new Error('two')];
  const thrower = (fault: Error) => ({
    turnEnded: () => {
      throw fault;
    },
  });
  const uncaught = await uncaughtIn(async () => {
    atTurnEnd({ turnEnded: () => told.push(1) });
    atTurnEnd(thrower(faults[0]!));
    atTurnEnd({ turnEnded: () => told.push(2) });
    atTurnEnd(thrower(faults[1]!));
    atTurnEnd({ turnEnded: () => told.push(3) });
    for (let turn = 0; turn < 5; turn++) await nextTurn();
  });
  expect([told, uncaught]).toEqual([[1, 2, 3], faults]);
});
