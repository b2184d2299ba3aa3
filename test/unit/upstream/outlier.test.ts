/** Outlier ejection on a clock moved by hand: who is ejected, for how long, and how many at most. */
import { describe, expect, test } from 'vitest';
import type { OutlierOptions } from '../../../src/config/resilience-options.ts';
import { type GatewayCode, gatewayError } from '../../../src/kernel/errors.ts';
import type { Slot } from '../../../src/upstream/slot.ts';
import { createUpstream } from '../../../src/upstream/upstream.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';
import { keepingLogger } from '../../kit/plugin.ts';
import { RETRY } from '../../kit/upstream.ts';
import { closedTransport, specOf } from '../../kit/upstream-slots.ts';

const OPTIONS: OutlierOptions = { failures: 5, ejectForMs: 30_000, maxEjectForMs: 300_000 };
const RESET = gatewayError('GW_UPSTREAM_RESET');
const names = 'abcdefghij'.split('');

const setUp = (size: number, options: Partial<OutlierOptions> = {}, chance = 0) => {
  const clock = createManualClock();
  const log = keepingLogger();
  const upstream = createUpstream(
    {
      name: 'orders',
      balance: { method: 'round-robin' },
      retry: RETRY,
      outlier: { ...OPTIONS, ...options },
      targets: names.slice(0, size).map((name) => specOf(name)),
    },
    { open: closedTransport, clock, log, random: { ...createSeededRandom(1), next: () => chance } },
  );
  const slots = [...upstream.slots];
  return {
    upstream,
    clock,
    log,
    slots,
    fail(slot: Slot, count = 5) {
      for (let n = 0; n < count; n++) upstream.outlier!.failed(slot, RESET);
    },
    succeed(slot: Slot, count = 1) {
      for (let n = 0; n < count; n++)
        if (upstream.outlier!.answered(slot, 200)) upstream.outlier!.whole(slot);
    },
    ejected: () =>
      upstream.slots
        .filter((slot) => slot.isOut('ejected'))
        .map((slot) => slot.spec.host)
        .join(''),
  };
};

describe('failures in a row', () => {
  test('eject at the fifth, and a success in between begins anew', () => {
    const { slots, fail, succeed, ejected, log } = setUp(3);
    fail(slots[0]!, 4);
    succeed(slots[0]!);
    fail(slots[0]!, 4);
    expect(ejected()).toBe('');
    fail(slots[0]!, 1);
    expect(ejected()).toBe('a');
    expect(slots[0]!.available).toBe(false);
    expect(log.lines).toEqual([
      {
        level: 'warn',
        message: 'an endpoint is ejected',
        fields: {
          upstream: 'orders',
          endpoint: 'a:80',
          why: '5 failures in a row, the last: GW_UPSTREAM_RESET',
          forMs: 30_000,
        },
      },
    ]);
  });

  test.each<[string, number]>([
    ['500', 1],
    ['503', 1],
    ['404', 0],
    ['429', 0],
  ])('of status %s count as said', (status, wanted) => {
    const { slots, upstream, ejected } = setUp(3);
    for (let n = 0; n < 5; n++) upstream.outlier!.answered(slots[0]!, Number(status));
    expect(ejected().length).toBe(wanted);
  });

  test.each<[GatewayCode, number]>([
    ['GW_CONNECT_REFUSED', 1],
    ['GW_UPSTREAM_TIMEOUT', 1],
    ['GW_UPSTREAM_CUT', 1],
    ['GW_INTERNAL', 0],
    ['GW_CLIENT_LEFT', 0],
    ['GW_BODY_TOO_LARGE', 0],
  ])('by %s count as said', (code, wanted) => {
    const { slots, upstream, ejected } = setUp(3);
    for (let n = 0; n < 5; n++) upstream.outlier!.failed(slots[0]!, gatewayError(code));
    expect(ejected().length).toBe(wanted);
  });
});

describe('never too many', () => {
  test.each([
    [1, ''],
    [2, 'a'],
    [3, 'a'],
    [4, 'ab'],
    [5, 'ab'],
    [6, 'abc'],
    [10, 'abcde'],
  ])('of %i that all fail', (size, wanted) => {
    const { slots, fail, ejected } = setUp(size);
    for (const slot of slots) fail(slot, 50);
    expect(ejected()).toBe(wanted);
  });

  test('those without weight do not count as others', () => {
    const { upstream, fail, ejected } = setUp(2);
    upstream.update([specOf('a'), specOf('b', 0)]);
    fail(upstream.slots[0]!, 50);
    expect(ejected()).toBe('');
  });

  test('when others go away some come back', () => {
    const { upstream, slots, fail, ejected } = setUp(6);
    for (const slot of slots.slice(0, 3)) fail(slot);
    expect(ejected()).toBe('abc');
    upstream.update([specOf('a'), specOf('b'), specOf('c')]);
    expect(ejected()).toBe('c');
    upstream.update([specOf('c')]);
    expect(ejected()).toBe('');
  });

  test('one that fails on takes the next place that is free', () => {
    const { slots, fail, ejected, clock } = setUp(2);
    fail(slots[0]!);
    fail(slots[1]!, 7);
    expect(ejected()).toBe('a');
    clock.advance(30_000);
    fail(slots[1]!, 2);
    expect(ejected()).toBe('');
    fail(slots[1]!, 1);
    expect(ejected()).toBe('b');
  });
});

describe('an ejection', () => {
  test('lasts longer each time, up to the most', () => {
    const { slots, fail, clock, log } = setUp(2);
    for (let n = 0; n < 12; n++) {
      fail(slots[0]!);
      clock.advance(300_000);
      slots[0]!.record.backMs = clock.nowMs();
    }
    const times = log.lines.flatMap((line) => (line.level === 'warn' ? [line.fields!.forMs] : []));
    expect(times).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300].map((s) => s * 1000));
  });

  test('is forgotten after good times', () => {
    const { slots, fail, clock } = setUp(2);
    fail(slots[0]!);
    clock.advance(30_000);
    fail(slots[0]!);
    expect(slots[0]!.record.level).toBe(2);
    clock.advance(60_000 + 30_000);
    fail(slots[0]!);
    expect(slots[0]!.record).toMatchObject({ level: 2, ejections: 3 });
    clock.advance(60_000 + 90_000);
    fail(slots[0]!);
    expect(slots[0]!.record.level).toBe(1);
  });

  test('ends by itself, a little spread, and what failed before does not count again', () => {
    const { slots, fail, clock, ejected, log } = setUp(2, {}, 0.5);
    fail(slots[0]!);
    clock.advance(31_499);
    expect(ejected()).toBe('a');
    clock.advance(1);
    expect(ejected()).toBe('');
    expect(log.lines.at(-1)!.message).toBe('an ejected endpoint is back');
    fail(slots[0]!, 4);
    expect(ejected()).toBe('');
  });

  test('ends early when the checks pass again', () => {
    const { upstream, slots, fail, ejected } = setUp(2);
    fail(slots[0]!);
    upstream.outlier!.pardon(slots[0]!);
    expect(ejected()).toBe('');
  });

  test('leaves other reasons to pass the endpoint over as they are', () => {
    const { upstream, slots, fail, clock } = setUp(2);
    fail(slots[0]!);
    clock.advance(29_500);
    upstream.refused(slots[0]!);
    clock.advance(500);
    expect(slots[0]!.absences).toEqual(['refused']);
    clock.advance(500);
    expect(slots[0]!.available).toBe(true);
  });

  test('of an endpoint that is gone leaves nothing behind, nor does switching it all off', () => {
    const { upstream, slots, fail, clock } = setUp(4);
    fail(slots[0]!);
    fail(slots[1]!);
    expect(clock.pending).toBe(3);
    upstream.update([specOf('b'), specOf('c')]);
    fail(slots[0]!);
    expect(clock.pending).toBe(2);
    const { outlier: _, ...rest } = upstream.options;
    upstream.update([specOf('b'), specOf('c')], rest);
    expect(upstream.outlier).toBeNull();
    expect([clock.pending, slots[1]!.available]).toEqual([0, true]);
  });

  test('lives on through a reload that leaves its settings', () => {
    const { upstream, slots, fail, ejected } = setUp(2);
    fail(slots[0]!);
    upstream.update([specOf('a', 3), specOf('b')], { ...upstream.options, outlier: { ...OPTIONS } });
    expect(ejected()).toBe('a');
  });
});

describe('the comparison with the others', () => {
  const judge = (size: number, volume: number, rates: readonly number[]) => {
    const all = setUp(size, { failures: 10_000 });
    for (const [at, slot] of all.slots.entries()) {
      const good = Math.round(volume * (rates[at] ?? 1));
      all.succeed(slot, good);
      for (let n = good; n < volume; n++) all.upstream.outlier!.answered(slot, 500);
    }
    all.clock.advance(10_000);
    return all;
  };

  test('ejects who answers well far less often', () => {
    const { ejected, log } = judge(6, 100, [0.8]);
    expect(ejected()).toBe('a');
    expect(log.lines[0]!.fields!.why).toBe('80.0% answered well in 10s, of all 96.7%');
  });

  test('needs five endpoints and a hundred attempts at each', () => {
    expect(judge(4, 1000, [0.5]).ejected()).toBe('');
    expect(judge(6, 99, [0.5]).ejected()).toBe('');
  });

  test('forgives one that is hardly worse', () => {
    expect(judge(6, 100, [0.95]).ejected()).toBe('');
    expect(judge(6, 100, [0.93]).ejected()).toBe('a');
  });

  test('says nothing where all do equally badly', () => {
    expect(judge(6, 100, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]).ejected()).toBe('');
  });

  test('looks at the last ten seconds only', () => {
    const { clock, ejected, succeed, slots } = judge(6, 100, [0.8]);
    clock.advance(33_000);
    expect(ejected()).toBe('');
    for (const slot of slots) succeed(slot, 200);
    clock.advance(10_000);
    expect(ejected()).toBe('');
  });
});
