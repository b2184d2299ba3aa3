/** The hash that a fleet of gateways must agree on. */
import { describe, expect, test } from 'vitest';
import { hashText, mix32 } from '../../../src/kernel/hash.ts';

describe('hashText', () => {
  // Another number here would send every sticky key of a fleet elsewhere while it is being upgraded.
  test.each([
    ['', 0],
    ['a', 721_651_713],
    ['user-42', 412_289_378],
    ['Grüße, 世界', 1_412_098_362],
  ])('of %j is always the same', (text, expected) => {
    expect(hashText(text)).toBe(expected);
  });

  test('tells apart what differs in one character, in order or in length', () => {
    const texts = ['ab', 'ba', 'a', 'a\0', 'ab\0', '\0ab', 'abc', 'abd', 'Abc'];
    expect(new Set(texts.map((text) => hashText(text))).size).toBe(texts.length);
  });

  test('spreads keys that count up evenly', () => {
    const buckets = new Array<number>(16).fill(0);
    for (let n = 0; n < 16_000; n++) buckets[hashText(`user-${n}`) % 16]!++;
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
  });

  test('gives other numbers with another seed', () => {
    expect(hashText('user-42', 1)).not.toBe(hashText('user-42'));
  });
});

test('mix32 gives each number one of its own', () => {
  const mixed = new Set(Array.from({ length: 100_000 }, (_, n) => mix32(n)));
  expect(mixed.size).toBe(100_000);
});
