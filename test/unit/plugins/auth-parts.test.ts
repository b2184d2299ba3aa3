/** Pieces that authenticators share: JSON that says a thing twice, and the form of a token. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readToken } from '../../../plugins/_auth/token.ts';
import { isTwofold } from '../../../plugins/_auth/twofold.ts';
import { encode } from '../../kit/issuer.ts';

test('JSON that was printed from a value says nothing twice', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      expect(isTwofold(text)).toBe(false);
      expect(isTwofold(JSON.stringify(JSON.parse(text), null, 2))).toBe(false);
    }),
  );
});

test('a name that is said again is found, however deep and however it is spelled', () => {
  const wrap = fc.array(
    fc.constantFrom<[string, string]>(['[1,', ']'], ['{"w":', '}'], ['{"":{},"v":', '}']),
    {
      maxLength: 20,
    },
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.json(), wrap, (name, value, around) => {
      const escapes = name.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
      const object = `{${JSON.stringify(name)}:1,"x${name.length}":${value},"${escapes.join('')}":2}`;
      const text = around.reduce((inner, [before, after]) => before + inner + after, object);
      JSON.parse(text);
      expect(isTwofold(text)).toBe(true);
    }),
  );
});

test('the same name in objects beside or inside each other is no doubling', () => {
  for (const text of [
    '[{"a":1},{"a":2}]',
    '{"a":{"a":{"a":1}},"b":["a","a"]}',
    '{"a":"{\\"a\\":1,\\"a\\":2}"}',
  ])
    expect(isTwofold(text)).toBe(false);
});

test('whatever is sent as a token, it is read or refused in a sentence', () => {
  const part = fc.oneof(fc.json().map(encode), fc.string(), fc.base64String(), fc.constant(''));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      const read = readToken(parts.join('.'));
      if (typeof read === 'string') expect(read).toMatch(/^the token [a-z ]+$/);
      else expect(typeof read.alg).toBe('string');
    }),
  );
});

test('of all spellings of a token one is read', () => {
  const token = `${encode({ alg: 'ES256' })}.${encode({ sub: 'a' })}.${Buffer.alloc(64, 255).toString('base64url')}`;
  expect(readToken(token)).toMatchObject({ alg: 'ES256', claims: { sub: 'a' } });
  fc.assert(
    fc.property(
      fc.nat(token.length - 1),
      fc.constantFrom('A', '_', '-', '+', '/', '=', ' ', '\n', '.'),
      (at, char) => {
        const other = token.slice(0, at) + char + token.slice(at + 1);
        const read = readToken(other);
        // Another text is another token, or none: never a second spelling of the same bytes.
        if (other !== token && typeof read !== 'string')
          expect(other.split('.').map((one) => Buffer.from(one, 'base64url').toString('hex'))).not.toEqual(
            token.split('.').map((one) => Buffer.from(one, 'base64url').toString('hex')),
          );
      },
    ),
  );
});
