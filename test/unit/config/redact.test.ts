/** Secrets are taken out of what is shown, wherever they stand. */
import { expect, test } from 'vitest';
import { redact } from '../../../src/config/redact.ts';

const secrets = new Set(['swordfish', 'swordfish-long', '42', '']);

test('a secret is hidden as a whole, as a part, as a number and in a key', () => {
  const value = {
    a: 'swordfish',
    b: ['x swordfish y', 'swordfish-long'],
    c: { d: 42, e: 420, f: '42', g: '1420' },
    'k-swordfish': 1,
  };
  expect(redact(value, secrets)).toEqual({
    a: '***',
    b: ['x *** y', '***'],
    c: { d: '***', e: 420, f: '***', g: '1420' },
    'k-***': 1,
  });
});

test('text under a key that names a secret is hidden, a file name is not', () => {
  const value = {
    password: 'a',
    clientSecret: 'b',
    apiKey: 'c',
    api_key: 'd',
    tokens: ['e'],
    key: './key.pem',
    author: 'f',
  };
  expect(redact(value, new Set())).toEqual({
    password: '***',
    clientSecret: '***',
    apiKey: '***',
    api_key: '***',
    tokens: ['***'],
    key: './key.pem',
    author: 'f',
  });
});

test('the password of a URL is hidden', () => {
  expect(redact('redis://user:pw@127.0.0.1:6379/0', new Set())).toBe('redis://***@127.0.0.1:6379/0');
  expect(redact('http://127.0.0.1/a@b', new Set())).toBe('http://127.0.0.1/a@b');
});

test('the value itself is left as it is, null and odd things pass', () => {
  const value = { a: 'swordfish', b: null, c: undefined, d: true };
  redact(value, secrets);
  expect(value.a).toBe('swordfish');
  expect(redact(value, secrets)).toEqual({ a: '***', b: null, c: undefined, d: true });
});
