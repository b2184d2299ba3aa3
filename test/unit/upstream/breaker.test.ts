/** The circuit breaker, on clocks moved by hand: what it counts, when it opens, and how it closes again. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BreakerOptions } from '../../../src/config/resilience-options.ts';
import { Breaker } from '../../../src/upstream/breaker.ts';
import { createManualClock } from '../../kit/clock.ts';
import { keepingLogger } from '../../kit/plugin.ts';

const OPTIONS: BreakerOptions = {
  errorRate: 0.5,
  slowAfterMs: 5000,
  slowRate: null,
  minimum: 20,
  windowMs: 10_000,
  openForMs: 5000,
  on: ['connect', 'reset', 'timeout', '5xx'],
};

// opossum's own timer for the time that it stays open.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const setUp = (options: Partial<BreakerOptions> = {}) => {
  const clock = createManualClock();
  const log = keepingLogger();
  const breaker = new Breaker({ ...OPTIONS, ...options }, { name: 'orders', clock, log });
  return {
    clock,
    log,
    breaker,
    good(count: number, slow = false) {
      for (let n = 0; n < count; n++) breaker.succeeded(breaker.admit(), slow);
    },
    bad(count: number) {
      for (let n = 0; n < count; n++) breaker.failed(breaker.admit(), 'GW_UPSTREAM_RESET');
    },
    pass(ms: number) {
      clock.advance(ms);
      vi.advanceTimersByTime(ms);
    },
  };
};

const opened = (options: Partial<BreakerOptions> = {}) => {
  const all = setUp(options);
  all.bad(20);
  expect(all.breaker.phase).toBe('open');
  return all;
};

test('opens at the rate of failures, not below it, and not before there are enough calls', () => {
  const { breaker, good, bad } = setUp();
  good(10);
  bad(9);
  expect(breaker.phase).toBe('closed');
  expect(breaker.describe()).toMatchObject({ calls: 19, failed: 9 });
  bad(1);
  expect(breaker.phase).toBe('open');
});

test('a thousand successes that were only counted keep it closed', () => {
  const { breaker, good, bad } = setUp();
  good(1000);
  bad(999);
  expect(breaker.phase).toBe('closed');
  bad(1);
  expect(breaker.phase).toBe('open');
});

test('100% can be reached', () => {
  const { breaker, good, bad } = setUp({ errorRate: 1 });
  good(1);
  bad(200);
  expect(breaker.phase).toBe('closed');
  expect(opened({ errorRate: 1 }).breaker.phase).toBe('open');
});

test('what is older than the window counts no more, failures and successes alike', () => {
  const { breaker, good, bad, pass } = setUp();
  good(1000);
  pass(9999);
  bad(19);
  pass(1);
  expect(breaker.describe()).toMatchObject({ calls: 19, failed: 19 });
  bad(1);
  expect(breaker.phase).toBe('open');
});

test('open, it lets nobody go and says why and for how long', () => {
  const { breaker, log, pass } = opened();
  expect(breaker.admit()).toBe(0);
  pass(1500);
  const refusal = breaker.refusal();
  expect(refusal).toMatchObject({ code: 'GW_BREAKER_OPEN', status: 503, retryAfterSeconds: 4 });
  expect(refusal.detail).toBe('20 of 20 calls within 10s failed, the last: GW_UPSTREAM_RESET');
  expect(log.lines).toEqual([
    {
      level: 'warn',
      message: 'the circuit breaker has opened',
      fields: { upstream: 'orders', why: refusal.detail, openForMs: 5000 },
    },
  ]);
});

test('after its time three calls may try, and the third success closes it', () => {
  const { breaker, pass, log } = opened();
  pass(4999);
  expect(breaker.admit()).toBe(0);
  pass(1);
  expect(breaker.phase).toBe('half-open');
  const tries = [breaker.admit(), breaker.admit(), breaker.admit()];
  expect(Math.min(...tries)).toBeGreaterThan(0);
  expect(breaker.admit()).toBe(0);
  breaker.succeeded(tries[0]!, false);
  breaker.succeeded(tries[1]!, false);
  expect([breaker.phase, breaker.admit()]).toEqual(['half-open', 0]);
  breaker.succeeded(tries[2]!, false);
  expect(breaker.phase).toBe('closed');
  expect(log.lines.map((line) => line.message)).toEqual([
    'the circuit breaker has opened',
    'the circuit breaker lets a few calls try',
    'the circuit breaker has closed',
  ]);
});

test('any failure of a try opens it again for the whole time', () => {
  const { breaker, pass } = opened();
  pass(5000);
  const [first, second] = [breaker.admit(), breaker.admit()];
  breaker.succeeded(first, false);
  breaker.failed(second, 'status 503');
  expect(breaker.phase).toBe('open');
  expect(breaker.describe()).toMatchObject({ opened: 2, why: 'a call that tried the upstream: status 503' });
  pass(4999);
  expect(breaker.phase).toBe('open');
  pass(1);
  expect(breaker.phase).toBe('half-open');
});

test('a try that tells nothing makes room for another', () => {
  const { breaker, pass } = opened();
  pass(5000);
  const tries = [breaker.admit(), breaker.admit(), breaker.admit()];
  breaker.forget(tries[0]!);
  expect(breaker.admit()).toBeGreaterThan(0);
  expect(breaker.admit()).toBe(0);
});

test('tries that never end do not keep all others out for ever', () => {
  const { breaker, pass } = opened();
  pass(5000);
  for (let n = 0; n < 3; n++) breaker.admit();
  pass(4999);
  expect(breaker.admit()).toBe(0);
  pass(1);
  expect(breaker.admit()).toBeGreaterThan(0);
  expect(breaker.admit()).toBe(0);
});

test('calls that began before it opened neither close nor open it', () => {
  const { breaker, pass, bad } = setUp();
  const early = Array.from({ length: 50 }, () => breaker.admit());
  bad(20);
  pass(5000);
  for (const ticket of early.slice(0, 25)) breaker.succeeded(ticket, false);
  expect(breaker.phase).toBe('half-open');
  for (const ticket of early.slice(25)) breaker.failed(ticket, 'GW_UPSTREAM_TIMEOUT');
  expect(breaker.phase).toBe('half-open');
});

test('failures from before it opened do not open it again once it has closed', () => {
  const { breaker, pass, good, bad } = opened({ openForMs: 1000 });
  pass(1000);
  good(3);
  expect(breaker.phase).toBe('closed');
  bad(19);
  expect(breaker.phase).toBe('closed');
  expect(breaker.describe()).toMatchObject({ calls: 19, failed: 19 });
});

test('slow calls open it where a rate for them is set, and only there', () => {
  const without = setUp();
  without.good(100, true);
  expect(without.breaker.phase).toBe('closed');
  const { breaker, good } = setUp({ slowRate: 0.8 });
  good(4);
  good(15, true);
  expect(breaker.phase).toBe('closed');
  good(1, true);
  expect(breaker.phase).toBe('open');
  expect(breaker.refusal().detail).toBe('16 of 20 calls within 10s were slower than 5s');
});

test('a slow try opens it again', () => {
  const { breaker, pass, good } = opened({ slowRate: 0.5 });
  pass(5000);
  good(1, true);
  expect(breaker.phase).toBe('open');
  expect(breaker.refusal().detail).toBe('a call that tried the upstream: slower than 5s');
});

test('closed for good it leaves no timer behind', () => {
  const { breaker, clock } = opened();
  const other = new Breaker(OPTIONS, { name: 'users', clock, log: keepingLogger() });
  expect([clock.pending, vi.getTimerCount()]).toEqual([1, 1]);
  breaker.close();
  expect([clock.pending, vi.getTimerCount()]).toEqual([1, 0]);
  other.close();
  expect(clock.pending).toBe(0);
});
