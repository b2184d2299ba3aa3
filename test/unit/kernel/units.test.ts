/** Durations, sizes, rates and percentages, there and back. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatDuration,
  formatPercent,
  formatRate,
  formatSize,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
} from '../../../src/kernel/units.ts';

test.each([
  ['250ms', 250],
  ['5s', 5000],
  ['1.5s', 1500],
  ['1m', 60_000],
  ['1min', 60_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['5 s', 5000],
  ['0', 0],
  [0, 0],
  ['0s', 0],
  [5, null],
  ['5', null],
  ['', null],
  ['s', null],
  ['-1s', null],
  ['1S', null],
  ['1s2s', null],
  ['1e3s', null],
  ['99999999999999999s', null],
  ['constructor', null],
  ['1constructor', null],
])('duration %j', (text, wanted) => {
  expect(parseDuration(text)).toBe(wanted);
});

test.each([
  ['64KiB', 65_536],
  ['10MB', 10_000_000],
  ['1GiB', 1_073_741_824],
  ['1.5KiB', 1536],
  ['100B', 100],
  ['100', 100],
  [100, 100],
  [0, 0],
  ['0', 0],
  ['1.5B', null],
  [-1, null],
  [1.5, null],
  [Number.NaN, null],
  ['64kib', null],
  ['64K', null],
  ['', null],
])('size %j', (text, wanted) => {
  expect(parseSize(text)).toBe(wanted);
});

test.each([
  ['100/s', { count: 100, perMs: 1000 }],
  ['10/min', { count: 10, perMs: 60_000 }],
  ['10/m', { count: 10, perMs: 60_000 }],
  ['5/h', { count: 5, perMs: 3_600_000 }],
  ['100/10s', { count: 100, perMs: 10_000 }],
  ['0.5/s', { count: 0.5, perMs: 1000 }],
  ['0/s', null],
  ['1/0s', null],
  ['1', null],
  ['/s', null],
  ['1/week', null],
  ['-1/s', null],
])('rate %j', (text, wanted) => {
  expect(parseRate(text)).toEqual(wanted);
});

test.each([
  ['10%', 0.1],
  ['0%', 0],
  ['100%', 1],
  ['0.5%', 0.005],
  ['101%', null],
  ['10', null],
  ['-1%', null],
  ['%', null],
])('percentage %j', (text, wanted) => {
  expect(parsePercent(text)).toBe(wanted);
});

test('what is formatted is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (number) => {
      expect(parseDuration(formatDuration(number))).toBe(number);
      expect(parseSize(formatSize(number))).toBe(number);
      const rate = { count: number + 1, perMs: (number % 1000) + 1 };
      if (number < 10 ** 11) expect(parseRate(formatRate(rate))).toEqual(rate);
    }),
  );
  expect([formatDuration(90_000), formatDuration(60_000), formatSize(65_536)]).toEqual([
    '90s',
    '1m',
    '64KiB',
  ]);
  expect([formatPercent(0.1), formatPercent(0.005), formatPercent(0.07)]).toEqual(['10%', '0.5%', '7%']);
});
