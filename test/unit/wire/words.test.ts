/** Dotted words: what each reads from a request, and what is no word. */
import { expect, test } from 'vitest';
import { word } from '../../../src/plugin.ts';
import { compileValue, compileWord, type WordSource } from '../../../src/wire/words.ts';

const claims = JSON.parse(
  '{"sub":"u1","plan":"pro","level":7,"ok":true,"nothing":null,"realm_access":{"roles":["a","b"]},' +
    '"https://x/roles":["admin"],"mixed":["a",{"b":1}],"empty":[],"__proto__":{"evil":"yes"}}',
) as Record<string, unknown>;

const source = (over: Partial<WordSource> = {}): WordSource => ({
  client: { address: '192.0.2.7', scheme: 'https' },
  route: { name: 'orders' },
  params: Object.assign(Object.create(null), { id: '7' }),
  received: {
    method: 'GET',
    scheme: 'https',
    authority: 'Shop.example:8443',
    path: '/orders/7',
    query: '?v=2&name=a%20b+c&v=3&flag&bad=%zz&a.b=dot&%76x=enc',
    fields: Object.assign(Object.create(null), {
      'x-one': '1',
      'x-many': ['1', '2'],
      cookie: 'a=1; session="s=1"; sessionx=2; =3; b',
    }),
  },
  principal: { id: 'u1', claims, scopes: ['read', 'write'] },
  ...over,
});

const READ: [text: string, value: string | undefined][] = [
  ['client.address', '192.0.2.7'],
  ['client.scheme', 'https'],
  ['principal.id', 'u1'],
  ['principal.plan', 'pro'],
  ['principal.scopes', 'read,write'],
  ['principal.constructor', undefined],
  ['claims.sub', 'u1'],
  ['claims.level', '7'],
  ['claims.ok', 'true'],
  ['claims.nothing', undefined],
  ['claims.absent', undefined],
  ['claims.absent.deeper', undefined],
  ['claims.sub.length', undefined],
  ['claims.realm_access', undefined],
  ['claims.realm_access.roles', 'a,b'],
  ['claims.realm_access.roles.length', '2'],
  ['claims["https://x/roles"]', 'admin'],
  ["claims['realm_access']['roles']", 'a,b'],
  ['claims["realm_access"].roles', 'a,b'],
  ['claims.mixed', undefined],
  ['claims.empty', undefined],
  ['claims.toString', undefined],
  ['claims.evil', undefined],
  ['header.x-one', '1'],
  ['header.X-One', '1'],
  ['header.x-many', '1, 2'],
  ['header.absent', undefined],
  ['header.__proto__', undefined],
  ['cookie.session', 's=1'],
  ['cookie.a', '1'],
  ['cookie.b', undefined],
  ['cookie.c', undefined],
  ['query.v', '2'],
  ['query.name', 'a b c'],
  ['query.flag', ''],
  ['query.bad', '%zz'],
  ['query["a.b"]', 'dot'],
  ['query.vx', 'enc'],
  ['query.absent', undefined],
  ['params.id', '7'],
  ['params.toString', undefined],
  ['host', 'shop.example'],
  ['method', 'GET'],
  ['path', '/orders/7'],
  ['route', 'orders'],
];
for (const [text, value] of READ) {
  test(`${text} reads ${String(value)}`, () => expect(compileWord(text)(source())).toBe(value));
}

test('a value keeps its type', () => {
  expect(compileValue('claims.level')(source())).toBe(7);
  expect(compileValue('claims.realm_access')(source())).toEqual({ roles: ['a', 'b'] });
});

test('without a principal its words read nothing', () => {
  const x = source({ principal: null });
  for (const text of ['principal.id', 'principal.plan', 'principal.scopes', 'claims.a.b']) {
    expect(compileWord(text)(x)).toBeUndefined();
  }
});

test('a host may be an IPv6 address', () => {
  const at = (authority: string) => source({ received: { ...source().received, authority } });
  expect(compileWord('host')(at('[::1]:8080'))).toBe('[::1]');
  expect(compileWord('host')(at('[::1]'))).toBe('[::1]');
});

const WRONG = [
  '',
  'claims',
  'claims.',
  'claim.sub',
  'claims..a',
  'claims[a]',
  'claims["a"',
  'claims["a"]b',
  'header',
  'header.',
  'client',
  'client.port',
  'Host',
  'claims.sub ',
  ' claims.sub',
  `claims.${'a'.repeat(300)}`,
];
for (const text of WRONG) {
  test(`"${text.slice(0, 20)}" is no word`, () =>
    expect(() => compileWord(text)).toThrow(/there is no word/));
}

test('too many parts say how to write a name with dots', () => {
  expect(() => compileWord('query.a.b')).toThrow('is written query["a.b"]');
});

test('as a setting it is an issue, not a throw', () => {
  expect(word().safeParse('claims.sub').success).toBe(true);
  expect(word().safeParse('nonsense').error?.issues[0]?.message).toMatch(/there is no word "nonsense"/);
});
