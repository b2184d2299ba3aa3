/** The table of errors and the error that carries a row of it. */
import { expect, test } from 'vitest';
import { GatewayError, gatewayError, KINDS } from '../../../src/kernel/errors.ts';

const rows = Object.entries(KINDS);

test.each(rows)('%s is a whole row', (code, row) => {
  expect(code).toMatch(/^GW_[A-Z]+(_[A-Z]+)*$/);
  // An answer without an optional part is an answer still.
  expect(row.status).toBeGreaterThanOrEqual(code === 'GW_PARTIAL' ? 200 : 400);
  expect(row.status).toBeLessThan(600);
  expect(row.title).toMatch(/^[A-Z].*\.$/);
  expect(row.proxyStatus ?? 'none').toMatch(/^[a-z]+(_[a-z]+)*$/);
});

test('whoever was at fault shows in the status', () => {
  const wrong = rows
    .filter(([, row]) => (row.source === 'client') !== row.status < 500)
    .map(([code]) => code);
  // No route is told as 404, yet it is the gateway that has none; a partial answer is no refusal.
  expect(wrong).toEqual(['GW_NO_ROUTE', 'GW_PARTIAL']);
});

test('what is not the upstream is never tried again', () => {
  expect(rows.filter(([, row]) => row.source !== 'upstream' && row.retry !== 'never')).toEqual([]);
});

test('an error carries its row, its detail and its cause', () => {
  const cause = new Error('inner');
  const error = gatewayError('GW_CONNECT_REFUSED', '10.0.0.1:80', cause);
  expect(error).toBeInstanceOf(GatewayError);
  expect(error).toMatchObject({
    code: 'GW_CONNECT_REFUSED',
    detail: '10.0.0.1:80',
    ...KINDS.GW_CONNECT_REFUSED,
  });
  expect(error.message).toBe('GW_CONNECT_REFUSED: 10.0.0.1:80');
  expect(error.cause).toBe(cause);
  expect('cause' in gatewayError('GW_TIMEOUT')).toBe(false);
  expect(gatewayError('GW_TIMEOUT').message).toBe('GW_TIMEOUT');
});

test('making one costs no stack trace, and leaves the limit as it was', () => {
  const before = Error.stackTraceLimit;
  expect(gatewayError('GW_TIMEOUT').stack).not.toContain('\n    at ');
  expect(Error.stackTraceLimit).toBe(before);
});
