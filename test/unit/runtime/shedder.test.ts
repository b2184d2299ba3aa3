/** Load shedding: who is refused, how soon, and when it is over. */
import { expect, test } from 'vitest';
import type { ShedOptions } from '../../../src/config/shed.ts';
import { Shedder } from '../../../src/runtime/shedder.ts';
import { createManualClock } from '../../kit/clock.ts';
import { keepingLogger } from '../../kit/plugin.ts';

function start(options: ShedOptions = { delayMs: 300, memory: 0.9 }) {
  const manual = createManualClock();
  let lateMs = 0;
  let used = 0.1;
  const log = keepingLogger();
  const clock = { ...manual, nowMs: () => manual.nowMs() + lateMs };
  const shedder = new Shedder({ clock, log, memoryUsed: () => used });
  shedder.use(options);
  return {
    shedder,
    log,
    /** A turn of the loop that takes so much longer than it should. */
    turn(ms: number) {
      lateMs += ms;
      manual.advance(50);
    },
    calm: (ms: number) => manual.advance(ms),
    use(part: number) {
      used = part;
      manual.advance(500);
    },
    /** Refused of a hundred requests. */
    refused: (priority: 'low' | 'normal' | 'high') =>
      Array.from({ length: 100 }, () => shedder.refuses(priority)).filter(Boolean).length,
  };
}

test('in calm nobody is refused', () => {
  const { refused, turn } = start();
  for (let at = 0; at < 100; at++) turn(250);
  expect([refused('low'), refused('normal'), refused('high')]).toEqual([0, 0, 0]);
});

test('one long pause refuses a part of the low ones only, and is soon over', () => {
  const { refused, turn, calm } = start();
  turn(5000);
  expect(Math.abs(refused('low') - 60)).toBeLessThan(2);
  expect(refused('normal')).toBe(0);
  calm(1500);
  expect(refused('low')).toBe(0);
});

test('a loop that stays late refuses all of low priority, then the normal ones but for a tenth, and never the high', () => {
  const { refused, turn, log } = start();
  for (let at = 0; at < 5; at++) turn(301);
  expect(refused('low')).toBeGreaterThanOrEqual(99);
  expect(refused('normal')).toBeLessThan(5);
  for (let at = 0; at < 5; at++) turn(301);
  expect(Math.abs(refused('normal') - 90)).toBeLessThan(2);
  expect(refused('high')).toBe(0);
  expect(log.lines.map((line) => line.level)).toEqual(['warn']);
});

test('it ends by itself, and is told once each time', () => {
  const { shedder, turn, calm, log } = start();
  for (let at = 0; at < 50; at++) turn(1000);
  expect(shedder.trouble).toContain('event loop');
  calm(5000);
  expect(shedder.level).toBe(0);
  expect(shedder.trouble).toBeNull();
  expect(log.lines.map((line) => line.level)).toEqual(['warn', 'info']);
});

test('memory refuses the more the fuller it is', () => {
  const { shedder, use, refused } = start();
  use(0.89);
  expect(shedder.level).toBe(0);
  use(0.95);
  expect(shedder.trouble).toContain('memory');
  expect(refused('low')).toBeGreaterThanOrEqual(99);
  expect(Math.abs(refused('normal') - 50)).toBeLessThan(2);
  use(0.5);
  expect(shedder.level).toBe(0);
});

test('off is off', () => {
  const { shedder, use, turn } = start({ delayMs: null, memory: null });
  for (let at = 0; at < 50; at++) turn(1000);
  use(1);
  expect(shedder.level).toBe(0);
});
