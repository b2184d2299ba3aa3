/** The timer wheel: when alarms ring, and when they do not. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Alarm, createWheel } from '../../../src/kernel/wheel.ts';
import { createManualClock } from '../../kit/clock.ts';

const create = (tickMs = 25) => {
  const clock = createManualClock();
  const rung: string[] = [];
  const wheel = createWheel(clock, tickMs);
  const alarm = (name: string) => new Alarm(() => rung.push(`${name}@${clock.nowMs()}`));
  return { clock, wheel, rung, alarm };
};

test('an alarm rings once, at the first tick that is not too early', () => {
  const { clock, wheel, rung, alarm } = create();
  const one = alarm('a');
  wheel.arm(one, 30);
  expect(one.armed).toBe(true);
  clock.advance(49);
  expect(rung).toEqual([]);
  clock.advance(1000);
  expect(rung).toEqual(['a@50']);
  expect(one.armed).toBe(false);
});

test('arming again moves it, disarming takes it away, and both may be done at any time', () => {
  const { clock, wheel, rung, alarm } = create();
  const [one, two] = [alarm('a'), alarm('b')];
  wheel.arm(one, 30);
  wheel.arm(two, 30);
  clock.advance(20);
  wheel.arm(one, 100);
  wheel.disarm(two);
  wheel.disarm(two);
  clock.advance(1000);
  expect(rung).toEqual(['a@125']);
  wheel.arm(two, 10);
  clock.advance(1000);
  expect(rung).toEqual(['a@125', 'b@1050']);
});

test.each([0, -1, Number.POSITIVE_INFINITY])('a delay of %d disarms', (delayMs) => {
  const { clock, wheel, rung, alarm } = create();
  const one = alarm('a');
  wheel.arm(one, 30);
  wheel.arm(one, delayMs);
  expect(one.armed).toBe(false);
  clock.advance(1000);
  expect(rung).toEqual([]);
});

test('a delay longer than the wheel rings on a later turn', () => {
  const { clock, wheel, rung, alarm } = create();
  const turnMs = 25 * 1024;
  wheel.arm(alarm('a'), turnMs * 3 + 10);
  clock.advance(turnMs * 3);
  expect(rung).toEqual([]);
  clock.advance(25);
  expect(rung).toEqual([`a@${turnMs * 3 + 25}`]);
});

test('ringing may arm itself and disarm others', () => {
  const { clock, wheel, rung } = create();
  let turns = 0;
  const again: Alarm = new Alarm(() => {
    turns++;
    if (turns < 3) wheel.arm(again, 25);
  });
  const never = new Alarm(() => rung.push('never'));
  const killer = new Alarm(() => wheel.disarm(never));
  wheel.arm(again, 25);
  wheel.arm(killer, 25);
  wheel.arm(never, 50);
  clock.advance(1000);
  expect(turns).toBe(3);
  expect(rung).toEqual([]);
});

test('after a stop nothing rings and no timer is left', () => {
  const { clock, wheel, rung, alarm } = create();
  wheel.arm(alarm('a'), 30);
  wheel.stop();
  expect(clock.pending).toBe(0);
  clock.advance(1000);
  expect(rung).toEqual([]);
});

test('a set of the wall clock moves no alarm', () => {
  const { clock, wheel, rung, alarm } = create();
  wheel.arm(alarm('a'), 50);
  clock.setWall(0);
  clock.advance(49);
  expect(rung).toEqual([]);
  clock.advance(1);
  expect(rung).toEqual(['a@50']);
});

test('none rings early, or more than a tick late, whatever was armed', () => {
  const delay = fc.integer({ min: 1, max: 60_000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(200), delay), { maxLength: 30 }), (arms) => {
      const { clock, wheel } = create();
      const late: number[] = [];
      for (const [waitMs, delayMs] of arms) {
        clock.advance(waitMs);
        const dueMs = clock.nowMs() + delayMs;
        wheel.arm(new Alarm(() => late.push(clock.nowMs() - dueMs)), delayMs);
      }
      clock.advance(70_000);
      expect(late.length).toBe(arms.length);
      expect(late.every((lateMs) => lateMs >= 0 && lateMs <= 25)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('a stall longer than a turn of the wheel loses no alarm', () => {
  const clock = createManualClock();
  let tick: (() => void) | undefined;
  let nowMs = 0;
  // A machine that slept: time has gone on, the timer has not.
  const sleepy = {
    ...clock,
    nowMs: () => nowMs,
    every: (_periodMs: number, run: () => void) => {
      tick = run;
      return { cancel() {} };
    },
  };
  const wheel = createWheel(sleepy, 25);
  let rung = 0;
  for (let at = 0; at < 2000; at++) wheel.arm(new Alarm(() => rung++), (at + 1) * 25);
  nowMs = 25 * 2000;
  tick!();
  expect(rung).toBe(2000);
});
