/** The budget of retries, on a clock moved by hand. */
import { expect, test } from 'vitest';
import { RetryBudget } from '../../../src/upstream/retry-budget.ts';
import { createManualClock } from '../../kit/clock.ts';

const takeAll = (budget: RetryBudget) => {
  let count = 0;
  while (budget.take()) count++;
  return count;
};
const request = (budget: RetryBudget, count: number) => {
  for (let n = 0; n < count; n++) budget.request();
};

test('a quiet upstream has three retries a second', () => {
  const clock = createManualClock();
  const budget = new RetryBudget(0.2, clock);
  expect(takeAll(budget)).toBe(3);
  clock.advance(1000);
  expect(takeAll(budget)).toBe(3);
});

test('a busy one has its part of the requests, not that and three more', () => {
  const budget = new RetryBudget(0.2, createManualClock());
  request(budget, 1000);
  expect(takeAll(budget)).toBe(200);
});

test('the part is of the last ten seconds', () => {
  const clock = createManualClock();
  const budget = new RetryBudget(0.1, clock);
  request(budget, 1000);
  expect(takeAll(budget)).toBe(100);
  clock.advance(9000);
  expect(takeAll(budget)).toBe(3);
  clock.advance(1000);
  request(budget, 500);
  // The 1000 requests and their 100 retries have left the window, the last three have not.
  expect(takeAll(budget)).toBe(47);
  clock.advance(3_600_000);
  request(budget, 100);
  expect(takeAll(budget)).toBe(10);
});

test('retries that need no leave count too', () => {
  const budget = new RetryBudget(0.1, createManualClock());
  request(budget, 100);
  for (let n = 0; n < 6; n++) budget.record();
  expect(takeAll(budget)).toBe(4);
});

test('a ratio of 0 leaves the three a second', () => {
  const budget = new RetryBudget(0, createManualClock());
  request(budget, 1000);
  expect(takeAll(budget)).toBe(3);
});
