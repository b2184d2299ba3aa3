import { expect, test } from 'vitest';
import { isSecure, metadataOf, weightOf, zoneOf } from '../../../src/registry/metadata.ts';

test('texts, numbers and flags are kept, within bounds, and nothing else', () => {
  const raw = {
    a: 'x',
    n: 7,
    f: true,
    none: null,
    deep: {},
    '@class': 'java.util.Map',
    long: 'x'.repeat(2_000),
  };
  expect(metadataOf(raw)).toEqual({ a: 'x', n: '7', f: 'true' });
  expect(metadataOf(null)).toEqual({});
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`k${at}`, 'x']));
  expect(Object.keys(metadataOf(many)).length).toBe(64);
});

test('a key of every name is only a key', () => {
  const metadata = metadataOf(JSON.parse('{"__proto__": "x", "constructor": "y"}'));
  expect(Object.getPrototypeOf(metadata)).toBeNull();
  expect(Object.keys(metadata)).toEqual(['__proto__', 'constructor']);
});

test('a weight is a number of the metadata, or 1', () => {
  const weights = ['3', '0', '2.5', '9999999', '-1', 'x', '', '1e9'].map((weight) => weightOf({ weight }));
  expect(weights).toEqual([3, 0, 2.5, 1_000_000, 1, 1, 1, 1]);
  expect(weightOf({})).toBe(1);
});

test('zone and protocol', () => {
  expect([zoneOf({ zone: 'a' }), zoneOf({ zone: '' }), zoneOf({})]).toEqual(['a', null, null]);
  const secure = [{ protocol: 'https' }, { scheme: 'https' }, { secure: 'true' }, { protocol: 'http' }, {}];
  expect(secure.map((each) => isSecure(each as Record<string, string>))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});
