/** Snowflakes bit by bit: their arithmetic against big numbers, their layout, and its limits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSnowflake, decodeSnowflake } from '../../../src/identity/snowflake.ts';
import { createManualClock } from '../../kit/clock.ts';

const EPOCH_MS = Date.UTC(2024, 0, 1);
const bits = { datacenter: 5, worker: 5, sequence: 12 };
const layout = { epochMs: EPOCH_MS, bits };

test('the text is the number that the layout says', () => {
  const layouts = fc
    .record({ datacenter: fc.nat(10), worker: fc.nat(10), sequence: fc.nat(19) })
    .filter((b) => b.datacenter + b.worker + b.sequence <= 22);
  fc.assert(
    fc.property(layouts, fc.nat(2 ** 41 - 1), fc.nat(2 ** 20), (some, ms, seed) => {
      const clock = createManualClock(EPOCH_MS + ms);
      const datacenter = seed % 2 ** some.datacenter;
      const worker = seed % 2 ** some.worker;
      const generator = createSnowflake({ clock, epochMs: EPOCH_MS, bits: some, datacenter, worker });
      const shift = BigInt(some.datacenter + some.worker + some.sequence);
      const first =
        (BigInt(ms) << shift) |
        (BigInt(datacenter) << BigInt(some.worker + some.sequence)) |
        (BigInt(worker) << BigInt(some.sequence));
      const most = Math.min(2 ** some.sequence, 5);
      for (let at = 0; at < most; at++) {
        const id = generator.next()!;
        expect(id).toBe(String(first + BigInt(at)));
        expect(decodeSnowflake(id, { epochMs: EPOCH_MS, bits: some })).toEqual({
          timeMs: EPOCH_MS + ms,
          datacenter,
          worker,
          sequence: at,
        });
      }
    }),
  );
});

test('all IDs of a millisecond are written right, across every carry', () => {
  for (const ms of [0, 1, 2, 123_456_789_012]) {
    const clock = createManualClock(EPOCH_MS + ms);
    const options = { clock, ...layout, datacenter: 31, worker: 31 };
    const texts = createSnowflake(options);
    const numbers = createSnowflake(options);
    for (let at = 0; at < 4096; at++) {
      const expected = (BigInt(ms) << 22n) | (1023n << 12n) | BigInt(at);
      expect(texts.next()).toBe(String(expected));
      expect(numbers.nextBigInt()).toBe(expected);
    }
  }
});

test('the largest ID still fits into 63 bits, and none comes after it', () => {
  const reasons: string[] = [];
  const clock = createManualClock(EPOCH_MS + 2 ** 41 - 1);
  const generator = createSnowflake({
    clock,
    ...layout,
    datacenter: 31,
    worker: 31,
    onNotReady: ({ reason }) => reasons.push(reason),
  });
  const ids = Array.from({ length: 4097 }, () => generator.next());
  expect(ids[4095]).toBe(String(2n ** 63n - 1n));
  expect(ids[4096]).toBeNull();
  clock.advance(1);
  expect(generator.ready).toBe(false);
  expect(generator.next()).toBeNull();
  expect(reasons).toEqual(['exhausted']);
});

test('before its epoch there is none', () => {
  const reasons: string[] = [];
  const clock = createManualClock(EPOCH_MS - 1);
  const generator = createSnowflake({
    clock,
    ...layout,
    datacenter: 0,
    worker: 0,
    onNotReady: ({ reason }) => reasons.push(reason),
  });
  expect(generator.ready).toBe(false);
  expect(generator.next()).toBeNull();
  expect(generator.nextBigInt()).toBeNull();
  expect(reasons).toEqual(['before-epoch']);
  clock.advance(1);
  expect(generator.next()).toBe('0');
});

describe('what is no ID decodes to null', () => {
  test.each([
    '',
    '-1',
    '+1',
    '01',
    '1.0',
    '1e3',
    ' 1',
    '0x1',
    '9223372036854775808',
    '99999999999999999999',
    'x',
  ])('%j', (id) => {
    expect(decodeSnowflake(id, layout)).toBeNull();
  });
});

test.each([
  [{ bits: { datacenter: 5, worker: 6, sequence: 12 } }, /sum of the bits is 23/],
  [{ bits: { datacenter: 0, worker: 0, sequence: 20 } }, /bits.sequence is 20/],
  [{ datacenter: 32 }, /datacenter is 32.* 31/],
  [{ worker: -1 }, /worker is -1/],
  [{ worker: 1.5 }, /whole number/],
  [{ epochMs: Number.NaN }, /epoch/],
])('a layout or number that does not fit is refused: %j', (wrong, message) => {
  const options = { clock: createManualClock(), ...layout, datacenter: 0, worker: 0, ...wrong };
  expect(() => createSnowflake(options)).toThrow(RangeError);
  expect(() => createSnowflake(options)).toThrow(message);
});
