/** The machine's clock and chance, and the ones that tests move by hand. */
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import { systemRandom } from '../../../src/kernel/random.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';

test('the system clock tells wall time and monotonic time', async () => {
  const before = Date.now();
  expect(systemClock.wallMs()).toBeGreaterThanOrEqual(before);
  const started = systemClock.nowMs();
  await new Promise<void>((resolve) => systemClock.after(5, resolve));
  expect(systemClock.nowMs()).toBeGreaterThan(started);
});

test('its timers can be cancelled, and the periodic one goes on', async () => {
  let wrong = 0;
  systemClock.after(1, () => wrong++).cancel();
  await new Promise<void>((resolve) => {
    let times = 0;
    const timer = systemClock.every(1, () => {
      if (++times < 3) return;
      timer.cancel();
      resolve();
    });
  });
  expect(wrong).toBe(0);
});

test('the system chance gives fractions and bytes', () => {
  const next = systemRandom.next();
  expect(next >= 0 && next < 1).toBe(true);
  expect(systemRandom.bytes(32)).toHaveLength(32);
  expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32));
});

test('the manual clock runs what falls due, in order, at its time', () => {
  const clock = createManualClock(1000);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b@${clock.nowMs()}`));
  clock.after(10, () => {
    seen.push(`a@${clock.nowMs()}`);
    clock.after(5, () => seen.push(`c@${clock.nowMs()}`));
  });
  const timer = clock.every(8, () => seen.push(`e@${clock.nowMs()}`));
  clock.advance(20);
  timer.cancel();
  expect(seen).toEqual(['e@8', 'a@10', 'c@15', 'e@16', 'b@20']);
  expect([clock.wallMs(), clock.pending]).toEqual([1020, 0]);
});

test('the seeded chance repeats', () => {
  const [one, two] = [createSeededRandom(5), createSeededRandom(5)];
  expect([one.next(), one.bytes(4)]).toEqual([two.next(), two.bytes(4)]);
});
