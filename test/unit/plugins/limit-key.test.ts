/** Who shares a bucket. */
import { expect, test } from 'vitest';
import { keyReader, network } from '../../../plugins/_limits/key.ts';
import { exchangeOf } from '../../kit/plugin.ts';

const NETWORKS: [address: string, network: string][] = [
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
];
for (const [address, expected] of NETWORKS) {
  test(`${address} counts as ${expected}`, () => {
    expect(network(address)).toBe(expected);
  });
}

test('what may be a secret is no part of the key, and long values are as short as others', () => {
  const key = keyReader(['header.x-api-key'], 'deny');
  const read = key(exchangeOf({ fields: { 'x-api-key': 'hunter2' } }));
  expect(read).toMatch(/^header\.x-api-key=#[\w-]{22}$/);
  expect(keyReader(['path'], 'deny')(exchangeOf({ path: `/${'a'.repeat(5000)}` })).length).toBeLessThan(40);
});

test('an empty value is none', () => {
  expect(keyReader(['header.x'], 'deny')(exchangeOf({ fields: { x: '' } }))).toBe('deny');
});
