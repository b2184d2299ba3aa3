/** The arithmetic of limits: what it promises, and that the script in Redis does the same to the last sixteenth of a microsecond. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStore } from '../../../plugins/_limits/store.ts';
import {
  bucket,
  calendar,
  divided,
  EPOCH_MS,
  quota,
  type State,
  take,
} from '../../../plugins/_limits/windows.ts';

const at = (us: number) => ({ steadyUs: us, wallUs: us });

/** Rates over and under twice their bursts, with steps that are no whole microseconds. */
const anyBucket = fc
  .record({
    count: fc.integer({ min: 1, max: 100_000 }),
    perMs: fc.constantFrom(1000, 10_000, 60_000, 3_600_000),
    burst: fc.integer({ min: 1, max: 1000 }),
  })
  .map(({ count, perMs, burst }) => ({ window: bucket(count, perMs, burst, ''), count, perMs, burst }));

/** Calls with pauses between them, in microseconds: in bursts, at the pace of the limit, and rarely. */
const calls = fc.array(
  fc.record({
    pauseUs: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 0, max: 2000 }),
      fc.integer({ min: 0, max: 5_000_000 }),
    ),
    cost: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 300 },
);

test('in no stretch of time does a bucket give more than its burst and what its rate makes of the time', () => {
  fc.assert(
    fc.property(anyBucket, calls, ({ window, count, perMs, burst }, list) => {
      const state: State = [];
      const given: { us: number; tokens: number }[] = [];
      let us = 1_000_000;
      for (const { pauseUs, cost } of list) {
        us += pauseUs;
        const { granted } = take([window], state, at(us), [cost, cost]);
        if (granted > 0) given.push({ us, tokens: granted });
      }
      for (let from = 0; from < given.length; from++) {
        let tokens = 0;
        for (let to = from; to < given.length; to++) {
          tokens += given[to]!.tokens;
          // As whole numbers, so that the check is exact: tokens <= burst + count * us / (perMs * 1000).
          const stretchUs = BigInt(given[to]!.us - given[from]!.us);
          const most = BigInt(burst) * BigInt(perMs * 1000) + BigInt(count) * stretchUs;
          expect(BigInt(tokens) * BigInt(perMs * 1000) <= most).toBe(true);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('a bucket refuses only when a model that counts tokens has too few, and says when there will be enough', () => {
  fc.assert(
    fc.property(anyBucket, calls, ({ window, burst }, list) => {
      const state: State = [];
      // Tokens times the step, in sixteenths of a microsecond: whole numbers.
      const step = BigInt(window.stepUs * 16);
      const room = BigInt(burst) * step;
      let level = room;
      let us = 1_000_000;
      for (const { pauseUs, cost } of list) {
        us += pauseUs;
        level += BigInt(pauseUs) * 16n;
        if (level > room) level = room;
        const need = BigInt(cost) * step;
        const { granted, waitUs, remaining } = take([window], state, at(us), [cost, cost]);
        expect(granted > 0).toBe(level >= need);
        if (granted > 0) level -= need;
        else expect(BigInt(waitUs * 16)).toBe(need - level);
        expect(BigInt(remaining)).toBe(level / step);
      }
    }),
    { numRuns: 200 },
  );
});

test('who waits as long as it is told passes, and not a moment sooner', () => {
  fc.assert(
    fc.property(anyBucket, ({ window, burst }) => {
      const state: State = [];
      let us = 1_000_000;
      for (let left = burst; left > 0; left--) expect(take([window], state, at(us), [1, 1]).granted).toBe(1);
      const { granted, waitUs } = take([window], state, at(us), [1, 1]);
      expect(granted).toBe(0);
      const early = Math.ceil(waitUs) - 1;
      expect(take([window], state, at(us + early), [1, 1]).granted).toBe(0);
      us += Math.ceil(waitUs);
      expect(take([window], state, at(us), [1, 1]).granted).toBe(1);
    }),
  );
});

test('of several windows all give or none', () => {
  const windows = [bucket(10, 1000, 10, '10/s'), bucket(15, 60_000, 15, '15/min')];
  const state: State = [];
  for (let left = 10; left > 0; left--) expect(take(windows, state, at(0), [1, 1]).granted).toBe(1);
  expect(take(windows, state, at(0), [1, 1])).toMatchObject({ granted: 0, tightest: 0, waitUs: 100_000 });
  for (let left = 5; left > 0; left--) expect(take(windows, state, at(2_000_000), [1, 1]).granted).toBe(1);
  // The second window is empty (it gives one in 4 s, of which 2 are over), and the first keeps what it has.
  expect(take(windows, state, at(2_000_000), [1, 1])).toMatchObject({
    granted: 0,
    tightest: 1,
    waitUs: 2_000_000,
  });
  expect(take(windows, state, at(4_000_000), [1, 1]).granted).toBe(1);
});

test('tokens that are given back can be taken again, but never more than the burst', () => {
  const windows = [bucket(1, 1000, 10, '1/s'), quota(10, 'hour', '10/hour')];
  const state: State = [];
  expect(take(windows, state, at(0), [10, 1]).granted).toBe(10);
  expect(take(windows, state, at(0), [1, 1]).granted).toBe(0);
  take(windows, state, at(0), [-4, -4]);
  expect(take(windows, state, at(0), [10, 1]).granted).toBe(4);
  take(windows, state, at(0), [-100, -100]);
  expect(take(windows, state, at(0), [20, 1]).granted).toBe(10);
});

test('what another clock has left behind holds nobody up for longer than an empty bucket', () => {
  const window = bucket(10, 1000, 10, '10/s');
  const state: State = [3_600_000_000];
  expect(take([window], state, at(0), [1, 1])).toMatchObject({ granted: 0, waitUs: 100_000 });
  expect(take([window], state, at(100_000), [1, 1]).granted).toBe(1);
});

const DAYS: [wall: string, kind: 'hour' | 'day' | 'month', from: string, end: string][] = [
  ['2026-11-25T13:14:15.123Z', 'hour', '2026-11-25T13:00Z', '2026-11-25T14:00Z'],
  ['2026-11-25T13:14:15.123Z', 'day', '2026-11-25', '2026-11-26'],
  ['2026-11-25T13:14:15.123Z', 'month', '2026-11-01', '2026-12-01'],
  ['2026-12-31T23:59:59.999Z', 'month', '2026-12-01', '2027-01-01'],
  ['2027-01-01T00:00:00.000Z', 'day', '2027-01-01', '2027-01-02'],
  ['2028-02-29T12:00:00.000Z', 'month', '2028-02-01', '2028-03-01'],
  ['2025-12-31T23:00:00.000Z', 'day', '2025-12-31', '2026-01-01'],
];
for (const [wall, kind, from, end] of DAYS) {
  test(`${wall} is in the ${kind} from ${from}`, () => {
    const us = (text: string) => (Date.parse(text) - EPOCH_MS) * 1000;
    expect(calendar(kind, us(wall))).toEqual([us(from), us(end)]);
  });
}

test('a quota begins anew with its calendar window, whenever it was used', () => {
  const windows = [quota(3, 'day', '3/day')];
  const state: State = [];
  const dayUs = 86_400_000_000;
  for (let left = 3; left > 0; left--) expect(take(windows, state, at(dayUs - 1000), [1, 1]).granted).toBe(1);
  expect(take(windows, state, at(dayUs - 1000), [1, 1])).toMatchObject({ granted: 0, waitUs: 1000 });
  expect(take(windows, state, at(dayUs), [1, 1])).toMatchObject({ granted: 1, remaining: 2, resetUs: dayUs });
});

test('the parts of several nodes are never more than the whole, as long as each may have one token', () => {
  fc.assert(
    fc.property(anyBucket, fc.integer({ min: 1, max: 50 }), ({ window, burst }, nodes) => {
      const part = divided(window, nodes, 1);
      expect(part.limit).toBe(Math.max(1, Math.floor(burst / nodes)));
      expect(part.stepUs).toBe(window.stepUs * nodes);
    }),
  );
  expect(divided(quota(10, 'day', ''), 3, 1)).toMatchObject({ limit: 3, roomUs: 3 });
});

test('a store keeps so many states at most, and those that are used', () => {
  const store = createStore(100, () => ({ used: 0 }));
  store.of('mine').used = 1;
  for (let key = 0; key < 1000; key++) {
    store.of(`other ${key}`);
    expect(store.of('mine').used).toBe(1);
    expect(store.size).toBeLessThanOrEqual(100);
  }
  expect([...store.entries()].some(([key]) => key === 'other 0')).toBe(false);
});
