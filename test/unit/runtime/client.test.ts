/** Who the client is by what trusted proxies say, however they spell it. */
import { expect, test } from 'vitest';
import { createTrust } from '../../../src/runtime/client.ts';
import { createFields } from '../../../src/wire/fields.ts';
import type { RequestHead } from '../../../src/wire/heads.ts';

const headWith = (forwarded?: string): RequestHead => ({
  method: 'GET',
  scheme: 'http',
  authority: 'a',
  path: '/',
  query: '',
  fields: Object.assign(createFields(), forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }),
});
const clientOf = (peer: string, forwarded?: string) =>
  createTrust(['127.0.0.1', 'fd00::/8']).client({ address: peer } as never, headWith(forwarded)).address;

const SAID: [forwarded: string, client: string][] = [
  ['10.1.1.1', '10.1.1.1'],
  ['::ffff:10.1.1.1', '10.1.1.1'],
  ['::FFFF:10.1.1.1', '10.1.1.1'],
  ['::ffff:0a01:0101', '10.1.1.1'],
  ['0:0:0:0:0:ffff:a01:101', '10.1.1.1'],
  ['[::ffff:10.1.1.1]:80', '10.1.1.1'],
  ['10.1.1.1:80', '10.1.1.1'],
  ['2001:db8:ffff::1', '2001:db8:ffff::1'],
  ['192.0.2.1, 10.1.1.1', '10.1.1.1'],
  ['192.0.2.1, fd00::1', '192.0.2.1'],
  ['192.0.2.1, ::ffff:7f00:1', '192.0.2.1'],
  // What is no address is nobody: the proxy that wrote it stands in.
  ['10.1.1.1, unknown', '127.0.0.1'],
  ['010.1.1.1', '127.0.0.1'],
];
for (const [forwarded, client] of SAID) {
  test(`"${forwarded}" is of ${client}`, () => {
    expect(clientOf('127.0.0.1', forwarded)).toBe(client);
    expect(clientOf('::ffff:127.0.0.1', forwarded)).toBe(client);
  });
}

test('nobody else is believed', () => {
  expect(clientOf('192.0.2.9', '10.1.1.1')).toBe('192.0.2.9');
  expect(clientOf('::ffff:192.0.2.9', '10.1.1.1')).toBe('192.0.2.9');
});
