/** Faults made on purpose: whom they hit, and what they do, on a clock moved by hand. */
import { describe, expect, test } from 'vitest';
import type { Fault as FaultConfig } from '../../../src/config/traffic-options.ts';
import { createWheel } from '../../../src/kernel/wheel.ts';
import type { Reply } from '../../../src/plugin.ts';
import { Fault } from '../../../src/proxy/fault.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';
import { createExchange } from '../../kit/proxy.ts';

const setUp = (config: Partial<FaultConfig>) => {
  const clock = createManualClock();
  const counts = { delays: 0, aborts: 0 };
  const fault = new Fault(
    { delayMs: 0, abort: null, percent: 1, when: {}, ...config },
    { random: createSeededRandom(1), wheel: createWheel(clock), counts },
  );
  return { clock, counts, fault };
};

describe('a fault hits', () => {
  test('everybody when nobody is named', () => {
    expect(setUp({}).fault.hits(createExchange().x)).toBe(true);
  });

  test('only who has every value that it names', () => {
    const { fault } = setUp({ when: { 'header.x-chaos': 'on', 'query.v': '2' } });
    const hit = (fields: Record<string, string>) => fault.hits(createExchange({ fields }).x);
    expect([hit({ 'x-chaos': 'on' }), hit({ 'x-chaos': 'On' }), hit({})]).toEqual([true, false, false]);
    expect(setUp({ when: { 'query.v': '3' } }).fault.hits(createExchange().x)).toBe(false);
  });

  test('the part of them that it says', () => {
    const { fault } = setUp({ percent: 0.1 });
    const { x } = createExchange();
    const hits = Array.from({ length: 10_000 }, () => fault.hits(x)).filter(Boolean).length;
    expect(hits).toBeGreaterThan(900);
    expect(hits).toBeLessThan(1100);
  });

  test('nobody at 0%', () => {
    expect(setUp({ percent: 0 }).fault.hits(createExchange().x)).toBe(false);
  });
});

describe('a fault', () => {
  const strike = (config: Partial<FaultConfig>) => {
    const set = setUp(config);
    const { x, down } = createExchange();
    const heard: (Reply | null)[] = [];
    set.fault.strike(x, (instead) => heard.push(instead));
    return { ...set, x, down, heard };
  };

  test('that aborts answers at once with its status and code', () => {
    const { heard, counts } = strike({ abort: 418 });
    expect(heard).toMatchObject([{ status: 418, error: { code: 'GW_FAULT' } }]);
    expect(counts).toEqual({ delays: 0, aborts: 1 });
  });

  test('that delays lets the request go on afterwards', () => {
    const { heard, counts, clock } = strike({ delayMs: 2000 });
    clock.advance(1999);
    expect(heard).toEqual([]);
    clock.advance(26);
    expect(heard).toEqual([null]);
    expect(counts).toEqual({ delays: 1, aborts: 0 });
  });

  test('that does both waits and then aborts', () => {
    const { heard, clock } = strike({ delayMs: 100, abort: 503 });
    expect(heard).toEqual([]);
    clock.advance(150);
    expect(heard).toMatchObject([{ status: 503 }]);
  });

  test('is over when the client leaves', () => {
    const { heard, clock, x, down } = strike({ delayMs: 100, abort: 503 });
    const { signal } = x;
    down.left!();
    clock.advance(1000);
    expect(heard).toEqual([]);
    expect(x).toMatchObject({ left: true, error: { code: 'GW_CLIENT_LEFT' } });
    expect(signal.aborted).toBe(true);
  });
});
