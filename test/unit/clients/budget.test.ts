/** The time for answers: the same for each question, told once, and not shortened by a stall of our own. */
import { expect, test } from 'vitest';
import { Budget, type Question } from '../../../src/clients/budget.ts';
import { createManualClock } from '../../kit/clock.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const open = () => {
  const clock = createManualClock();
  let heldMs = 0;
  /** As if nothing of this process had run for so long. */
  const hold = (ms: number) => {
    heldMs += ms;
  };
  const budget = new Budget({ ...clock, nowMs: () => clock.nowMs() + heldMs }, 20);
  const late: string[] = [];
  const ask = (name: string): Question => {
    const question: Question = { settled: false, dueMs: 0, late: () => void late.push(name) };
    budget.start(question);
    return question;
  };
  return { clock, hold, budget, late, ask };
};

test('who has no answer in time hears so, each by its own time, with one timer for all', async () => {
  const { clock, late, ask } = open();
  ask('a');
  clock.advance(10);
  ask('b');
  ask('c').settled = true;
  expect(clock.pending).toBe(1);
  clock.advance(9);
  await turn();
  expect(late).toEqual([]);
  clock.advance(1);
  await turn();
  expect(late).toEqual(['a']);
  expect(clock.pending).toBe(1);
  clock.advance(10);
  await turn();
  expect(late).toEqual(['a', 'b']);
  expect(clock.pending).toBe(0);
});

test('an answer that is read in the same turn of the event loop still counts', async () => {
  const { clock, late, ask } = open();
  const question = ask('a');
  clock.advance(20);
  question.settled = true;
  await turn();
  expect(late).toEqual([]);
});

test('after a stall there is time to send what was asked, and to read the answer', async () => {
  const { clock, hold, late, ask } = open();
  const [answered] = [ask('a'), ask('b')];
  hold(500);
  clock.advance(20);
  await turn();
  expect(late).toEqual([]);
  answered.settled = true;
  clock.advance(5);
  expect(late).toEqual(['b']);
});

test('thousands of answered questions are forgotten while others wait', () => {
  const { clock, budget, ask } = open();
  for (let round = 0; round < 10; round++) {
    for (let at = 0; at < 1000; at++) ask(`${round}`).settled = true;
    clock.advance(10);
  }
  expect(budget.size).toBeLessThan(4000);
  clock.advance(40);
  expect(budget.size).toBe(0);
  expect(clock.pending).toBe(0);
});
