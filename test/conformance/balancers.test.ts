/** What every balancer keeps to, and what each promises beyond that. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Balance } from '../../src/config/types.ts';
import type { Picker } from '../../src/upstream/balancers/balancer.ts';
import { createBalancer } from '../../src/upstream/balancers/catalog.ts';
import { isUsable, type Slot } from '../../src/upstream/slot.ts';
import { createSplit } from '../../src/upstream/split.ts';
import { createFields } from '../../src/wire/fields.ts';
import { createManualClock, createSeededRandom } from '../kit/clock.ts';
import { countBy, picks, slotsOf } from '../kit/upstream-slots.ts';

type Method = Balance['method'];

/** A new method without its settings here does not compile. */
const SETTINGS: { readonly [M in Method]: Balance } = {
  'round-robin': { method: 'round-robin' },
  random: { method: 'random' },
  'least-request': { method: 'least-request' },
  ewma: { method: 'ewma', decayMs: 10_000 },
  hash: { method: 'hash', by: 'client.address', maxLoad: 1.25 },
  weighted: { method: 'weighted', header: 'endpoint-load-metrics' },
};
const NAMES = Object.keys(SETTINGS) as Method[];

/** No chance is in it. */
const isOrdered = (name: Method) => name === 'round-robin' || name === 'weighted';

const create = (name: Method, seed = 1, clock = createManualClock()) =>
  createBalancer(SETTINGS[name], { random: createSeededRandom(seed), clock });
const share = (names: readonly string[], name: string) => (countBy(names).get(name) ?? 0) / names.length;
const many = (count: number, weight: (at: number) => number) =>
  slotsOf(...Array.from({ length: count }, (_, at) => weight(at)));

describe.each(NAMES)('%s', (name) => {
  // Below and above the size at which round-robin changes its algorithm.
  describe.each([3, 100])('with %i slots', (size) => {
    test('gives nothing without slots or with weight 0 everywhere', () => {
      expect(create(name).build([]).pick(0, null)).toBeNull();
      expect(
        create(name)
          .build(many(size, () => 0))
          .pick(0, null),
      ).toBeNull();
    });

    test('gives each slot its part by weight', () => {
      const slots = many(size, (at) => (at % 3) + 1);
      const total = slots.reduce((sum, slot) => sum + slot.weight, 0);
      const chosen = picks(create(name).build(slots), 300 * size);
      for (const slot of slots) {
        const expected = (slot.weight / total) * chosen.length;
        const got = countBy(chosen).get(slot.spec.host) ?? 0;
        // Five standard deviations of a fair draw.
        expect(Math.abs(got - expected)).toBeLessThan(5 * Math.sqrt(expected));
      }
    });

    test('never gives a slot that has no weight, is not available, is full or was tried', () => {
      const slots = many(size, () => 1);
      slots[0]!.weight = 0;
      slots[1]!.available = false;
      const picker = create(name).build(slots);
      const chosen = picks(picker, 20 * size);
      expect(chosen).not.toContain('a');
      expect(chosen).not.toContain('b');
      slots[2]!.full = true;
      expect(picks(picker, 20 * size)).not.toContain('c');
      slots[2]!.full = false;
      const tried = slots.slice(3);
      for (let n = 0; n < 20; n++) expect(picker.pick(0, tried)).toBe(slots[2]);
      expect(picker.pick(0, slots)).toBeNull();
    });

    test('finds the only usable slot every time', () => {
      const slots = many(size, () => 1);
      for (const slot of slots) slot.available = false;
      slots[size - 1]!.available = true;
      const last = slots[size - 1]!.spec.host;
      expect(share(picks(create(name).build(slots), 200), last)).toBe(1);
    });

    test('keeps the parts of the others while one is away, and gives it no burst when it is back', () => {
      const slots = many(size, () => 2);
      const picker = create(name).build(slots);
      picks(picker, 10 * size);
      slots[0]!.available = false;
      const without = picks(picker, 200 * size);
      for (const slot of slots.slice(1)) {
        expect(share(without, slot.spec.host) * (size - 1)).toBeCloseTo(1, 0);
      }
      slots[0]!.available = true;
      const back = picks(picker, 2 * size);
      expect(countBy(back).get('a') ?? 0).toBeLessThanOrEqual(isOrdered(name) ? 4 : 12);
    });

    // A hash goes by the static weights, so that no key moves when the live ones do.
    test.skipIf(name === 'hash')('acts at once on a weight that changes while the membership stays', () => {
      const slots = many(size, () => 1);
      const picker = create(name).build(slots);
      picks(picker, 5 * size);
      slots[0]!.weight = size - 1;
      const chosen = picks(picker, 400 * size);
      expect(share(chosen, 'a')).toBeCloseTo(0.5, 1);
    });

    test('a newcomer gets its part from the start, no more', () => {
      const balancer = create(name);
      const slots = many(size + 1, () => 1);
      picks(balancer.build(slots.slice(0, size)), 1000);
      const joined = picks(balancer.build(slots), 40 * (size + 1));
      const got = countBy(joined).get(slots[size]!.spec.host) ?? 0;
      expect(got).toBeGreaterThan(10);
      expect(got).toBeLessThan(75);
      const first = countBy(joined.slice(0, size + 1)).get(slots[size]!.spec.host) ?? 0;
      expect(first).toBeLessThanOrEqual(isOrdered(name) ? 2 : 8);
    });
  });
});

describe.each(NAMES)('%s, whatever happens', (name) => {
  const change = fc.record({
    at: fc.nat(11),
    weight: fc.constantFrom(0, 0.1, 1, 7),
    available: fc.boolean(),
    full: fc.boolean(),
    inFlight: fc.nat(300),
    panic: fc.boolean(),
    tries: fc.nat(3),
    gone: fc.nat(11),
  });

  test('gives a slot that may take the call wherever there is one, and no other', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 5, maxLength: 40 }), fc.integer(), (steps, seed) => {
        const balancer = create(name, seed);
        const all = many(12, (at) => (at % 3) + 1);
        const panic = { on: false };
        for (const slot of all) slot.panic = panic;
        for (const [key, step] of steps.entries()) {
          const slot = all[step.at]!;
          slot.weight = step.weight;
          slot.keepOut('ejected', !step.available);
          slot.full = step.full;
          slot.inFlight = step.inFlight;
          panic.on = step.panic;
          const members = all.filter((_, at) => at !== step.gone);
          const picker = balancer.build(members);
          for (let n = 0; n < 4; n++) {
            const tried = members.slice(n, n + step.tries);
            const wanted = members.filter((member) => isUsable(member, tried));
            const got = picker.pick(key * 31 + n, tried);
            if (wanted.length === 0) expect(got).toBeNull();
            else expect(wanted).toContain(got);
          }
        }
      }),
      { numRuns: name === 'hash' ? 5 : 40 },
    );
  });
});

describe('round-robin', () => {
  test.each([
    [[5, 1, 1], 'a a b a c a a'],
    [[4, 2, 1], 'a b a c a b a'],
    [[1, 1, 1], 'a b c a b c a'],
    [[1, 2], 'b a b b a b b'],
    [[3], 'a a a a a a a'],
    [[0, 1, 0], 'b b b b b b b'],
  ])('interleaves %j as nginx does', (weights, expected) => {
    expect(picks(create('round-robin').build(slotsOf(...weights)), 7).join(' ')).toBe(expected);
  });

  test('gives exactly the weights in each round, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 26 }), (weights) => {
        const slots = slotsOf(...weights);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const picker = create('round-robin').build(slots);
        for (let round = 0; round < 2; round++) {
          const counts = countBy(picks(picker, total));
          for (const slot of slots) expect(counts.get(slot.spec.host)).toBe(slot.weight);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('above 64 slots each slot is never more than two calls from its part', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 65, maxLength: 90 }),
        fc.integer(),
        (weights, seed) => {
          const slots = slotsOf(...weights);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const counts = countBy(picks(create('round-robin', seed).build(slots), 3 * total));
          for (const slot of slots) {
            expect(Math.abs(counts.get(slot.spec.host)! - 3 * slot.weight)).toBeLessThanOrEqual(2);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  test('an unchanged membership built again goes on where it was', () => {
    const balancer = create('round-robin');
    const slots = slotsOf(5, 1, 1);
    const before = picks(balancer.build(slots), 3);
    expect([...before, ...picks(balancer.build(slots), 4)].join(' ')).toBe('a a b a c a a');
  });

  test('a change of weights is not paid off in a burst', () => {
    const balancer = create('round-robin');
    const slots = slotsOf(1000, 1);
    picks(balancer.build(slots), 500);
    slots[0]!.weight = 1;
    const chosen = picks(balancer.build(slots), 6).join('');
    expect(chosen).toMatch(/^(ab|ba|aba|bab|abb|baa)+/);
    expect(chosen).not.toMatch(/aaa|bbb/);
  });

  test('endless changes of membership leave nobody out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 7 })), { minLength: 20, maxLength: 60 }),
        (steps) => {
          const balancer = create('round-robin');
          const slots = slotsOf(1, 1, 1, 1, 1, 1);
          let picker = balancer.build(slots);
          for (const [out, count] of steps) {
            picks(picker, count);
            // Rebuilt without one, then with a fresh one in its place.
            picker = balancer.build(slots.filter((_, at) => at !== out));
            picks(picker, count);
            slots[out] = slotsOf(1, 1, 1, 1, 1, 1)[out]!;
            picker = balancer.build(slots);
          }
          const counts = countBy(picks(picker, 60));
          for (const slot of slots) {
            const got = counts.get(slot.spec.host) ?? 0;
            expect(got).toBeGreaterThanOrEqual(8);
            expect(got).toBeLessThanOrEqual(12);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('among many, a membership built again at every call keeps the parts', () => {
    const balancer = create('round-robin');
    const slots = many(70, (at) => (at % 2) + 1);
    const chosen = Array.from({ length: 5 * 105 }, () => picks(balancer.build(slots), 1)[0]!);
    const counts = countBy(chosen);
    for (const slot of slots) {
      expect(Math.abs((counts.get(slot.spec.host) ?? 0) - 5 * slot.weight)).toBeLessThanOrEqual(2);
    }
  });

  test('growing past 64 slots and shrinking again keeps the parts', () => {
    const balancer = create('round-robin');
    const slots = many(80, () => 1);
    picks(balancer.build(slots.slice(0, 60)), 100);
    const grown = countBy(picks(balancer.build(slots), 800));
    for (const slot of slots) expect(Math.abs(grown.get(slot.spec.host)! - 10)).toBeLessThanOrEqual(2);
    const shrunk = countBy(picks(balancer.build(slots.slice(0, 10)), 100));
    for (const slot of slots.slice(0, 10)) expect(shrunk.get(slot.spec.host)).toBe(10);
  });

  test('among many, those that come back together after a long time do not take over', () => {
    const slots = many(100, () => 1);
    const picker = create('round-robin').build(slots);
    for (const slot of slots.slice(1)) slot.available = false;
    picks(picker, 1000);
    for (const slot of slots.slice(1)) slot.available = true;
    const counts = countBy(picks(picker, 300));
    for (const slot of slots) expect(Math.abs((counts.get(slot.spec.host) ?? 0) - 3)).toBeLessThanOrEqual(2);
  });
});

describe('least-request', () => {
  test('prefers the less busy', () => {
    const slots = slotsOf(1, 1);
    slots[0]!.inFlight = 10;
    expect(share(picks(create('least-request').build(slots), 1000), 'b')).toBe(1);
  });

  test('spreads calls that last', () => {
    const slots = many(10, () => 1);
    const picker = create('least-request').build(slots);
    for (let n = 0; n < 1000; n++) picker.pick(0, null)!.inFlight++;
    for (const slot of slots) expect(Math.abs(slot.inFlight - 100)).toBeLessThanOrEqual(5);
  });

  test('measures busyness by weight', () => {
    const slots = slotsOf(9, 1);
    const picker = create('least-request').build(slots);
    for (let n = 0; n < 1000; n++) picker.pick(0, null)!.inFlight++;
    expect(Math.abs(slots[0]!.inFlight - 900)).toBeLessThanOrEqual(20);
  });
});

describe('ewma', () => {
  /** Answers a call at once, as if it had taken that long. */
  const answer = (slot: Slot, tookMs: number, status = 200) =>
    slot.feedback!.answered(tookMs, { status, fields: createFields() });

  test('gives a slow slot little, and asks it again with time', () => {
    const clock = createManualClock();
    const slots = slotsOf(1, 1, 1);
    const picker = create('ewma', 1, clock).build(slots);
    for (const slot of slots) answer(slot, slot.spec.host === 'a' ? 500 : 10);
    expect(share(picks(picker, 3000), 'a')).toBe(0);
    clock.advance(60_000);
    for (const slot of slots.slice(1)) answer(slot, 10);
    expect(share(picks(picker, 3000), 'a')).toBeGreaterThan(0.3);
  });

  test('weighs calls in flight against latency', () => {
    const slots = slotsOf(1, 1);
    const picker = create('ewma').build(slots);
    answer(slots[0]!, 10);
    answer(slots[1]!, 100);
    for (let n = 0; n < 1100; n++) picker.pick(0, null)!.inFlight++;
    expect(slots[0]!.inFlight / slots[1]!.inFlight).toBeGreaterThan(7);
    expect(slots[0]!.inFlight / slots[1]!.inFlight).toBeLessThan(12);
  });

  test.each([
    ['a failure', (slot: Slot) => slot.feedback!.failed(1)],
    ['a status of 503', (slot: Slot) => answer(slot, 1, 503)],
  ])('takes %s for slow, however fast it came', (_what, fail) => {
    const slots = slotsOf(1, 1);
    const picker = create('ewma').build(slots);
    answer(slots[1]!, 300);
    fail(slots[0]!);
    expect(share(picks(picker, 1000), 'a')).toBe(0);
  });

  test('lets fast failures never look better than slow answers for long', () => {
    const clock = createManualClock();
    const slots = slotsOf(1, 1);
    const picker = create('ewma', 1, clock).build(slots);
    let failed = 0;
    for (let n = 0; n < 1000; n++) {
      const slot = picker.pick(0, null)!;
      clock.advance(5);
      if (slot === slots[0]) {
        failed++;
        slot.feedback!.failed(1);
      } else answer(slot, 4000);
    }
    expect(failed).toBeLessThan(10);
  });

  test('forgets a single failure, and holds failures in a row against a slot for longer', () => {
    const clock = createManualClock();
    const slots = slotsOf(1, 1);
    const picker = create('ewma', 1, clock).build(slots);
    const answerBoth = () => {
      for (const slot of slots) answer(slot, 10);
    };
    for (let n = 0; n < 50; n++) answerBoth();
    slots[0]!.feedback!.failed(1);
    answer(slots[0]!, 10);
    slots[0]!.feedback!.failed(1);
    // Five times 10 ms is down to 10 ms after 1.6 times the decay; a success in between begins the count anew.
    clock.advance(17_000);
    answer(slots[1]!, 10);
    expect(share(picks(picker, 100), 'a')).toBe(1);
    for (let n = 0; n < 5; n++) slots[0]!.feedback!.failed(1);
    clock.advance(17_000);
    answer(slots[1]!, 10);
    expect(share(picks(picker, 100), 'a')).toBe(0);
  });

  test('takes an answer that nobody waited for as slow as it was waited for, where that is news', () => {
    const slots = slotsOf(1, 1);
    const picker = create('ewma').build(slots);
    for (const slot of slots) answer(slot, 50);
    slots[0]!.feedback!.abandoned(10);
    const both = picks(picker, 100);
    expect(share(both, 'a')).toBeGreaterThan(0.3);
    slots[0]!.feedback!.abandoned(800);
    expect(share(picks(picker, 100), 'a')).toBe(0);
  });

  test('does not flood a newcomer before its first answer', () => {
    const balancer = create('ewma');
    const slots = slotsOf(1, 1, 1);
    balancer.build(slots.slice(0, 2));
    for (let n = 0; n < 200; n++) for (const slot of slots.slice(0, 2)) answer(slot, 50);
    const picker = balancer.build(slots);
    for (let n = 0; n < 300; n++) picker.pick(0, null)!.inFlight++;
    expect(Math.abs(slots[2]!.inFlight - 100)).toBeLessThan(15);
  });

  test('remembers the latency of those who stay', () => {
    const balancer = create('ewma');
    const slots = slotsOf(1, 1, 1);
    balancer.build(slots.slice(0, 2));
    answer(slots[0]!, 900);
    answer(slots[1]!, 10);
    const picker = balancer.build(slots);
    expect(share(picks(picker, 1000), 'a')).toBeLessThan(0.1);
  });
});

describe('hash', () => {
  const KEYS = 5000;
  const owners = (picker: Picker, keys = KEYS) =>
    Array.from({ length: keys }, (_, key) => picker.pick(key, null)!.spec.host);
  const moved = (before: readonly string[], after: readonly string[]) =>
    before.filter((owner, key) => owner !== after[key]).length;

  test('gives a key to the same slot every time, in every gateway, in whatever order they have the slots', () => {
    const slots = many(10, (at) => (at % 3) + 1);
    const here = owners(create('hash', 1).build(slots));
    expect(owners(create('hash', 2).build(slots.toReversed()))).toEqual(here);
  });

  test('a slot that is away moves its own keys only, all over the others, and gets them back', () => {
    const slots = many(10, () => 1);
    const picker = create('hash').build(slots);
    const before = owners(picker);
    slots[0]!.available = false;
    const without = owners(picker);
    for (const [key, owner] of before.entries()) if (owner !== 'a') expect(without[key]).toBe(owner);
    const heirs = countBy(without.filter((_, key) => before[key] === 'a'));
    expect(heirs.size).toBe(9);
    for (const count of heirs.values()) expect(count).toBeLessThan(KEYS / 10 / 4);
    slots[0]!.available = true;
    expect(owners(picker)).toEqual(before);
  });

  test.each([
    ['taken away', (slots: Slot[]) => slots.slice(1), 0.1],
    ['added', (slots: Slot[]) => [...slots, ...slotsOf(...Array(11).fill(1)).slice(10)], 1 / 11],
  ])('a slot that is %s moves few keys beside its own', (_what, change, due) => {
    const slots = many(10, () => 1);
    const balancer = create('hash');
    const before = owners(balancer.build(slots));
    const after = owners(balancer.build(change(slots)));
    expect(moved(before, after) / KEYS).toBeLessThan(due + 0.04);
  });

  test('a live weight that changes moves no key', () => {
    const slots = many(10, () => 1);
    const picker = create('hash').build(slots);
    const before = owners(picker);
    slots[0]!.weight = 0.1;
    expect(owners(picker)).toEqual(before);
  });

  test('a key that all ask for spills over before its slot has more than 1.25 times the mean', () => {
    const slots = many(10, () => 1);
    const picker = create('hash').build(slots);
    for (let n = 0; n < 1000; n++) picker.pick(7, null)!.inFlight++;
    for (const slot of slots) expect(slot.inFlight).toBeLessThanOrEqual(126);
  });

  test('a few calls of one key stay together, whatever the mean', () => {
    const picker = create('hash').build(many(10, () => 1));
    const chosen = Array.from({ length: 8 }, () => {
      const slot = picker.pick(7, null)!;
      slot.inFlight++;
      return slot;
    });
    expect(new Set(chosen).size).toBe(1);
  });

  test('without a bound the key stays, however busy its slot', () => {
    const balance: Balance = { method: 'hash', by: 'route', maxLoad: null };
    const picker = createBalancer(balance, {
      random: createSeededRandom(1),
      clock: createManualClock(),
    }).build(many(10, () => 1));
    const slot = picker.pick(7, null)!;
    slot.inFlight = 10_000;
    expect(picker.pick(7, null)).toBe(slot);
  });

  test('keeps the weights within a few percent, even of many', () => {
    const slots = many(500, (at) => (at % 4) + 1);
    const counts = countBy(owners(create('hash').build(slots), 65_537 * 2));
    for (const slot of slots) {
      const expected = (slot.weight / 1250) * 65_537 * 2;
      expect(Math.abs((counts.get(slot.spec.host) ?? 0) - expected)).toBeLessThan(6 * Math.sqrt(expected));
    }
  });
});

describe('split', () => {
  test('interleaves by the same algorithm', () => {
    const split = createSplit([
      { weight: 5, value: 'a' },
      { weight: 1, value: 'b' },
      { weight: 1, value: 'c' },
    ]);
    expect(Array.from({ length: 7 }, () => split.next()).join(' ')).toBe('a a b a c a a');
  });

  test('90:10 gives every tenth call to the second, one at a time', () => {
    const split = createSplit([
      { weight: 90, value: 'main' },
      { weight: 10, value: 'canary' },
    ]);
    const chosen = Array.from({ length: 1000 }, () => split.next());
    const at = chosen.flatMap((value, index) => (value === 'canary' ? [index] : []));
    expect(at).toHaveLength(100);
    for (let n = 1; n < at.length; n++) expect(at[n]! - at[n - 1]!).toBe(10);
  });

  test('one choice is always taken, a choice of weight 0 never', () => {
    const only = createSplit([{ weight: 3, value: 'x' }]);
    expect([only.next(), only.next()]).toEqual(['x', 'x']);
    const split = createSplit([
      { weight: 0, value: 'x' },
      { weight: 1, value: 'y' },
    ]);
    expect([split.next(), split.next()]).toEqual(['y', 'y']);
  });

  test('nothing to choose from is refused', () => {
    expect(() => createSplit([])).toThrow(RangeError);
    expect(() => createSplit([{ weight: 0, value: 1 }])).toThrow(RangeError);
  });
});
