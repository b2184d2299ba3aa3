import { expect, test } from 'vitest';
import { createBackoff, pause } from '../../../src/clients/backoff.ts';
import { createManualClock } from '../../kit/clock.ts';

const chance = (value: number) => ({ next: () => value, bytes: (count: number) => new Uint8Array(count) });

test('waits double up to the last, half of each by chance, and begin anew once all is well', () => {
  const [least, most] = [createBackoff(chance(0), 100, 1_000), createBackoff(chance(1), 100, 1_000)];
  const five = (backoff: { nextMs(): number }) => Array.from({ length: 5 }, () => backoff.nextMs());
  expect(five(least)).toEqual([50, 100, 200, 400, 500]);
  expect(five(most)).toEqual([100, 200, 400, 800, 1_000]);
  for (let tries = 0; tries < 5_000; tries++) most.nextMs();
  expect(most.nextMs()).toBe(1_000);
  most.reset();
  expect(most.nextMs()).toBe(100);
});

test('a pause ends with its time or with the signal, and leaves no timer and no listener behind', async () => {
  const clock = createManualClock();
  const end = new AbortController();
  const done: string[] = [];
  const first = pause(clock, 100, end.signal).then(() => done.push('time'));
  clock.advance(99);
  await Promise.resolve();
  expect(done).toEqual([]);
  clock.advance(1);
  await first;
  const second = pause(clock, 100, end.signal);
  end.abort();
  await second;
  await pause(clock, 100, end.signal);
  expect(clock.pending).toBe(0);
});
