/** What every generator of trace IDs promises, whatever its form, with a clock that does as it likes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IdGenerator, ReadinessHooks, Stop } from '../../src/identity/id-generator.ts';
import { createRandomHex } from '../../src/identity/random-hex.ts';
import { createSnowflake } from '../../src/identity/snowflake.ts';
import { createUuid7 } from '../../src/identity/uuid7.ts';
import { createManualClock, createSeededRandom, type ManualClock } from '../kit/clock.ts';

interface Subject {
  readonly name: string;
  readonly make: (clock: ManualClock, more?: ReadinessHooks & { maxBackMs?: number }) => IdGenerator;
  /** IDs within one millisecond. */
  readonly perMs: number;
  readonly form: RegExp;
  /** Text that sorts as the ID does. */
  readonly order: (id: string) => string;
  readonly timeOf: (id: string) => number;
}

const EPOCH_MS = Date.UTC(2024, 0, 1);
const bits = { datacenter: 5, worker: 5, sequence: 12 };

const subjects: Subject[] = [
  {
    name: 'snowflake',
    make: (clock, more) =>
      createSnowflake({ clock, epochMs: EPOCH_MS, bits, datacenter: 3, worker: 17, ...more }),
    perMs: 4096,
    form: /^[1-9]\d{0,18}$/,
    order: (id) => id.padStart(19, '0'),
    timeOf: (id) => Number(BigInt(id) >> 22n) + EPOCH_MS,
  },
  {
    name: 'small snowflake',
    make: (clock, more) =>
      createSnowflake({
        clock,
        epochMs: EPOCH_MS,
        bits: { datacenter: 0, worker: 2, sequence: 2 },
        datacenter: 0,
        worker: 3,
        ...more,
      }),
    perMs: 4,
    form: /^[1-9]\d{0,18}$/,
    order: (id) => id.padStart(19, '0'),
    timeOf: (id) => Number(BigInt(id) >> 4n) + EPOCH_MS,
  },
  {
    name: 'uuid',
    make: (clock, more) => createUuid7({ clock, randomHex: createRandomHex(createSeededRandom(7)), ...more }),
    perMs: 4096,
    form: /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    order: (id) => id,
    timeOf: (id) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16),
  },
];

const some = (count: number, generator: IdGenerator): (string | null)[] =>
  Array.from({ length: count }, () => generator.next());

describe.each(subjects)('$name', ({ make, perMs, form, order, timeOf }) => {
  test('IDs have their form and tell the time', () => {
    const clock = createManualClock();
    const generator = make(clock);
    clock.advance(12_345);
    const id = generator.next()!;
    expect(id).toMatch(form);
    expect(timeOf(id)).toBe(clock.wallMs());
  });

  test('a full millisecond borrows the next without waiting', () => {
    const clock = createManualClock();
    const ids = some(perMs * 3 + 1, make(clock));
    expect(new Set(ids).size).toBe(ids.length);
    expect(timeOf(ids[perMs - 1]!)).toBe(clock.wallMs());
    expect(timeOf(ids[perMs]!)).toBe(clock.wallMs() + 1);
    expect(timeOf(ids[perMs * 3]!)).toBe(clock.wallMs() + 3);
  });

  test('borrowing is bounded, told once, and over when the clock has caught up', () => {
    const clock = createManualClock();
    const stops: Stop[] = [];
    let resumed = 0;
    const generator = make(clock, {
      maxBackMs: 2,
      onNotReady: (stop) => stops.push(stop),
      onReady: () => resumed++,
    });
    const before = some(perMs * 3, generator);
    expect(before).not.toContain(null);
    expect(some(3, generator)).toEqual([null, null, null]);
    expect(stops).toEqual([{ reason: 'overflow', waitMs: 2 }]);
    expect(generator.ready).toBe(false);
    clock.advance(1);
    expect(generator.next()).toBeNull();
    clock.advance(2);
    expect(generator.ready).toBe(true);
    expect(order(generator.next()!) > order(before.at(-1)!)).toBe(true);
    expect([stops.length, resumed]).toEqual([1, 1]);
  });

  test('a clock that goes back a little is ridden out in the last millisecond', () => {
    const clock = createManualClock();
    const generator = make(clock);
    const first = generator.next()!;
    const timeMs = clock.wallMs();
    clock.setWall(timeMs - 5000);
    const second = generator.next()!;
    expect(order(second) > order(first)).toBe(true);
    expect(timeOf(second)).toBe(timeMs);
    expect(generator.ready).toBe(true);
  });

  test('one that goes back far stops the IDs, is told once, and is over when it has caught up', () => {
    const clock = createManualClock();
    const stops: Stop[] = [];
    let resumed = 0;
    const generator = make(clock, { onNotReady: (stop) => stops.push(stop), onReady: () => resumed++ });
    const first = generator.next()!;
    const timeMs = clock.wallMs();
    clock.setWall(timeMs - 3_600_000);
    expect(generator.ready).toBe(false);
    expect(some(3, generator)).toEqual([null, null, null]);
    expect(stops).toEqual([{ reason: 'clock-back', waitMs: 3_600_000 }]);
    clock.setWall(timeMs - 1);
    expect(generator.ready).toBe(false);
    expect(generator.next()).toBeNull();
    clock.setWall(timeMs);
    expect(generator.ready).toBe(true);
    expect(order(generator.next()!) > order(first)).toBe(true);
    expect([stops.length, resumed]).toEqual([1, 1]);
    clock.setWall(timeMs - 3_600_000);
    generator.next();
    expect(stops.length).toBe(2);
  });

  test('readiness is seen without asking for an ID', () => {
    const clock = createManualClock();
    const generator = make(clock);
    generator.next();
    clock.setWall(clock.wallMs() - 60_000);
    generator.next();
    clock.advance(60_000);
    expect(generator.ready).toBe(true);
  });

  test('whatever the clock does, IDs grow and never repeat', () => {
    const step = fc.record({
      by: fc.oneof(
        fc.integer({ min: -20, max: 20 }),
        fc.integer({ min: -20_000, max: 20_000 }),
        fc.constant(0),
      ),
      jump: fc.boolean(),
      count: fc.integer({ min: 0, max: 12 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = createManualClock();
        const generator = make(clock);
        let last = '';
        for (const { by, jump, count } of steps) {
          if (jump) clock.setWall(clock.wallMs() + by);
          else clock.advance(Math.abs(by));
          const ready = generator.ready;
          for (let at = 0; at < count; at++) {
            const id = generator.next();
            expect(id !== null).toBe(ready);
            if (id === null) continue;
            expect(order(id) > last).toBe(true);
            last = order(id);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
