/** What plugins may tell an exchange, kept for the proxy and the log. */
import { expect, test } from 'vitest';
import type { Degraded } from '../../../src/plugin.ts';
import { exchangeOf } from '../../kit/plugin.ts';

test('of several time limits the shortest counts, and no number is none', () => {
  const x = exchangeOf();
  expect(x.limitMs).toBe(Number.POSITIVE_INFINITY);
  for (const limitMs of [3000, 2000, 5000, Number.NaN]) x.limitTime(limitMs);
  expect(x.limitMs).toBe(2000);
});

test('what a request lacks is kept once each, in words of the one list only', () => {
  const x = exchangeOf();
  for (const how of ['limit-local', 'places-local', 'limit-local'] as const) x.degrade(how);
  expect(x.degraded).toBe('limit-local places-local');
  expect(() => x.degrade('user 42' as Degraded)).toThrow('is no word');
  expect(() => x.degrade('constructor' as Degraded)).toThrow('is no word');
});
