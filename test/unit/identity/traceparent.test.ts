/** The traceparent header: what is read, what is refused, and what a trace of ours looks like. */
import { describe, expect, test } from 'vitest';
import { createRandomHex } from '../../../src/identity/random-hex.ts';
import {
  continueTrace,
  formatTraceparent,
  parseTraceparent,
  RANDOM,
  SAMPLED,
  startTrace,
} from '../../../src/identity/traceparent.ts';
import { createSeededRandom } from '../../kit/clock.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

describe('a valid header is read', () => {
  test.each([
    [`00-${TRACE}-${PARENT}-00`, 0],
    [`00-${TRACE}-${PARENT}-01`, SAMPLED],
    [`00-${TRACE}-${PARENT}-03`, SAMPLED | RANDOM],
    [`00-${TRACE}-${PARENT}-ff`, SAMPLED | RANDOM],
    [`cc-${TRACE}-${PARENT}-01`, SAMPLED],
    [`cc-${TRACE}-${PARENT}-01-what-comes-later`, SAMPLED],
  ])('%s', (text, flags) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, parentId: PARENT, flags });
  });
});

describe('any other is refused', () => {
  test.each([
    '',
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE}-${PARENT}-01-`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-0g`,
    `0-${TRACE}-${PARENT}-01`,
    `ff-${TRACE}-${PARENT}-01`,
    `cc-${TRACE}-${PARENT}-01.more`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${PARENT}-01`,
    ` 00-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    `00_${TRACE}_${PARENT}_01`,
  ])('%j', (text) => {
    expect(parseTraceparent(text)).toBeNull();
  });
});

test('a continued trace keeps its ID and flags, with a parent of ours', () => {
  const randomHex = createRandomHex(createSeededRandom(1));
  const text = `00-${TRACE}-${PARENT}-03`;
  const continued = continueTrace(parseTraceparent(text)!, randomHex);
  expect(continued).toMatchObject({ traceId: TRACE, flags: SAMPLED | RANDOM });
  expect(continued.parentId).not.toBe(PARENT);
  expect(parseTraceparent(formatTraceparent(continued))).toEqual(continued);
  expect(formatTraceparent(parseTraceparent(text)!)).toBe(text);
});

test('a trace of ours shows the Snowflake in its high half, and says that the low one is random', () => {
  const randomHex = createRandomHex(createSeededRandom(2));
  const trace = startTrace('7263748291734123456', 0, randomHex);
  expect(BigInt(`0x${trace.traceId.slice(0, 16)}`)).toBe(7263748291734123456n);
  expect(trace.flags).toBe(RANDOM);
  expect(parseTraceparent(formatTraceparent(trace))).toEqual(trace);
  expect(startTrace('1', 0, randomHex).traceId).toMatch(/^0{15}1[0-9a-f]{16}$/);
  expect(startTrace('018f2f6e-1c2d-7abc-8def-0123456789ab', 0, randomHex).traceId).toBe(
    '018f2f6e1c2d7abc8def0123456789ab',
  );
});

test.each([0, 0.1, 0.5, 1])('%d of the traces are sampled', (ratio) => {
  const randomHex = createRandomHex(createSeededRandom(3));
  let sampled = 0;
  for (let at = 0; at < 5000; at++) sampled += startTrace('5', ratio, randomHex).flags & SAMPLED;
  expect(Math.abs(sampled / 5000 - ratio)).toBeLessThan(ratio % 1 === 0 ? 1e-9 : 0.02);
});

test('sampling looks at the right-hand 56 bits, as samplers downstream do', () => {
  const fixed = (digits: string) => () => digits;
  expect(startTrace('5', 0.5, fixed('ff7fffffffffffff')).flags & SAMPLED).toBe(0);
  expect(startTrace('5', 0.5, fixed('0080000000000000')).flags & SAMPLED).toBe(SAMPLED);
});

test('random digits are drawn in blocks and are never all zero', () => {
  let draws = 0;
  const randomHex = createRandomHex({
    next: () => 0,
    bytes: (count) => {
      draws++;
      return new Uint8Array(count).fill(draws === 1 ? 0 : 0xab);
    },
  });
  expect(randomHex()).toBe('ab'.repeat(8));
  for (let at = 0; at < 127; at++) randomHex();
  expect(draws).toBe(2);
  randomHex();
  expect(draws).toBe(3);
});
