/** Caching of an answer put together from several: the strictest of them, in everything. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allVary, strictestCaching } from '../../../src/aggregate/caching.ts';
import { createFields, type Fields } from '../../../src/wire/fields.ts';

const NOW = Date.UTC(2026, 0, 1);
const fields = (given: string | Fields): Fields =>
  Object.assign(createFields(), typeof given === 'string' ? { 'cache-control': given } : given);
const strictest = (heads: readonly (string | Fields)[], personal = false) =>
  strictestCaching(heads.map(fields), personal, NOW);

test.each([
  [['max-age=60', 'max-age=30'], 'max-age=30'],
  [['public, max-age=60', 'public, max-age=30'], 'public, max-age=30'],
  [['public, max-age=60', 'max-age=30'], 'max-age=30'],
  [['private, max-age=60', 'public, max-age=30'], 'private, max-age=30'],
  [['max-age=60', 'no-store'], 'no-store'],
  [['max-age=60', 'no-cache'], 'no-cache'],
  [['max-age=60', 'no-cache, max-age=10'], 'no-cache, max-age=10'],
  [['max-age=60', {}], 'no-cache'],
  [[{}], 'no-cache'],
  [[], 'no-cache'],
  [['max-age=60, must-revalidate', 'max-age=90, immutable'], 'must-revalidate, max-age=60'],
  [['max-age=60, immutable', 'max-age=90, immutable'], 'immutable, max-age=60'],
  [['s-maxage=100, max-age=60', 'max-age=80'], 'max-age=60, s-maxage=80'],
  [['s-maxage=100', 'max-age=80'], 'max-age=0, s-maxage=80'],
  [['private, s-maxage=100, max-age=5'], 'private, max-age=5'],
  [['MAX-AGE="60"'], 'max-age=60'],
  [['max-age=60, max-age=5'], 'max-age=5'],
  [['max-age=sixty'], 'max-age=0'],
  [['max-age'], 'max-age=0'],
  [['private="set-cookie", max-age=9'], 'private, max-age=9'],
  [['max-age=60, stale-while-revalidate=600'], 'max-age=60'],
] as [(string | Fields)[], string][])('%j: %s', (heads, wanted) => expect(strictest(heads)).toBe(wanted));

describe('what is left of a lifetime', () => {
  const dated = (more: Fields): Fields => fields({ date: new Date(NOW).toUTCString(), ...more });

  test('the age so far is taken off', () => {
    expect(strictest([fields({ 'cache-control': 'max-age=60', age: '45' })])).toBe('max-age=15');
    expect(strictest([fields({ 'cache-control': 'max-age=60', age: '90' })])).toBe('max-age=0');
  });

  test('Expires counts where there is no max-age', () => {
    const expires = new Date(NOW + 30_000).toUTCString();
    expect(strictest([dated({ expires })])).toBe('max-age=30');
    expect(strictest([dated({ expires, 'cache-control': 'max-age=5' })])).toBe('max-age=5');
    expect(strictest([dated({ expires: '0' })])).toBe('max-age=0');
  });
});

test('what holds the author of the request is for no shared cache', () => {
  expect(strictest(['public, max-age=60, s-maxage=600'], true)).toBe('private, max-age=60');
});

test('no answer is ever kept longer, or more freely, than any of its parts allows', () => {
  const directive = fc.oneof(
    fc.constantFrom('public', 'private', 'no-cache', 'no-store', 'must-revalidate', 'immutable'),
    fc.nat(1000).map((s) => `max-age=${s}`),
    fc.nat(1000).map((s) => `s-maxage=${s}`),
  );
  const head = fc.array(directive, { maxLength: 4 }).map((all) => all.join(', '));
  fc.assert(
    fc.property(fc.array(head, { minLength: 1, maxLength: 5 }), fc.boolean(), (heads, personal) => {
      const whole = strictest(heads, personal).split(', ');
      const has = (name: string) => whole.includes(name);
      const age = (name: string) =>
        Number(whole.find((one) => one.startsWith(`${name}=`))?.split('=')[1] ?? 0);
      for (const part of heads.map((text) => text.split(', '))) {
        const least = (name: string) =>
          Math.min(
            ...part.filter((one) => one.startsWith(`${name}=`)).map((one) => Number(one.split('=')[1])),
          );
        if (part.includes('no-store')) expect(whole).toEqual(['no-store']);
        if (has('no-store')) continue;
        if (part.includes('private') || personal) expect(has('private') && !has('public')).toBe(true);
        if (part.includes('no-cache')) expect(has('no-cache')).toBe(true);
        if (part.includes('must-revalidate')) expect(has('must-revalidate')).toBe(true);
        if (!part.includes('public')) expect(has('public')).toBe(false);
        const own = Number.isFinite(least('max-age')) ? least('max-age') : 0;
        const shared = Number.isFinite(least('s-maxage')) ? least('s-maxage') : own;
        expect(age('max-age')).toBeLessThanOrEqual(own);
        expect(age('s-maxage')).toBeLessThanOrEqual(shared);
      }
    }),
  );
});

test('Vary is that of all parts, and what the templates read', () => {
  expect(allVary([fields({ vary: 'Accept, X-A' }), fields({ vary: ['x-a', 'Origin'] })], ['x-b'])).toBe(
    'x-b, accept, x-a, origin',
  );
  expect(allVary([fields({ vary: 'Accept' }), fields({ vary: '*' })], [])).toBe('*');
  expect(allVary([fields({})], [])).toBeNull();
});
