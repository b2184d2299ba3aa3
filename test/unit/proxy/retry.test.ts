/** What may be sent again, and how long a Retry-After asks to wait. */
import { expect, test } from 'vitest';
import { isRepeatable, pauseMs, retryAfterMs } from '../../../src/proxy/retry.ts';
import { createSeededRandom } from '../../kit/clock.ts';
import { fieldsOf } from '../../kit/proxy.ts';
import { headOf } from '../../kit/upstream.ts';

test.each([
  ['GET', {}, true],
  ['PUT', {}, true],
  ['POST', {}, false],
  ['POST', { 'idempotency-key': '"8e03978e"' }, true],
  ['PATCH', { 'idempotency-key': 'k' }, true],
  ['CONNECT', { 'idempotency-key': 'k' }, false],
  ['PROPPATCH', { 'idempotency-key': 'k' }, false],
  ['post', { 'idempotency-key': 'k' }, false],
] as const)('%s with %j may be sent twice: %s', (method, fields, repeatable) => {
  expect(isRepeatable({ ...headOf(method), fields: fieldsOf(fields) })).toBe(repeatable);
});

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

test.each([
  ['0', 0],
  ['7', 7000],
  ['999999999', 999_999_999_000],
  ['Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
  ['Thu, 01 Jan 2026 11:59:00 GMT', 0],
  ['2026-01-01T12:00:30Z', 0],
  ['-1', 0],
  ['1.5', 0],
  ['soon', 0],
  ['', 0],
  ['9999999999', 0],
])('"%s" asks for %i ms', (text, ms) => {
  expect(retryAfterMs(fieldsOf({ 'retry-after': text }), NOW)).toBe(ms);
});

test('two of them, or none, ask for nothing', () => {
  expect(retryAfterMs(fieldsOf({ 'retry-after': ['1', '2'] }), NOW)).toBe(0);
  expect(retryAfterMs(fieldsOf(), NOW)).toBe(0);
});

test('a wait that was asked for is never cut short, and spread over a quarter more', () => {
  const random = createSeededRandom(3);
  const asked = { elsewhere: true, askedMs: 1000, before: 0 };
  const waits = Array.from({ length: 1000 }, () => pauseMs(asked, random));
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(1000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1250);
  expect(new Set(waits.map(Math.round)).size).toBeGreaterThan(100);
});
