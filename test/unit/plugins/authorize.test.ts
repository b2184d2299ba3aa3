/** The authorize plugin: which rules hold for whom, and which are refused when the file is read. */
import { expect, test } from 'vitest';
import { runBefore } from '../../../src/pipeline/run.ts';
import type { Principal } from '../../../src/plugin.ts';
import { builtInChain, configIssues, type ExchangeOptions, exchangeOf } from '../../kit/plugin.ts';

const ALICE: Partial<Principal> = {
  id: 'alice',
  claims: {
    sub: 'alice',
    level: 3,
    admin: false,
    roles: ['clerk', 'buyer'],
    org: { name: 'shop' },
    'https://x/plan': 'pro',
  },
  scopes: ['orders:read', 'users:read'],
};

interface Case extends ExchangeOptions {
  readonly who?: Partial<Principal> | null;
}

/** `allowed`, or why not: the detail of the refusal. */
const judged = async (config: unknown, { who = ALICE, ...request }: Case = {}): Promise<string> => {
  const chain = await builtInChain(['authorize', config]);
  const x = exchangeOf(request);
  x.principal = who === null ? null : { id: '', claims: {}, scopes: [], by: 'test', ...who };
  const outcome = await runBefore(chain, x);
  if (outcome === undefined) return 'allowed';
  expect(outcome).toMatchObject({ status: 403, error: { code: 'GW_FORBIDDEN' } });
  return outcome.error!.detail;
};

const HOLDS: [rule: unknown, request?: Case][] = [
  [{ methods: ['GET', 'HEAD'] }],
  [{ scopes: ['orders:read'] }],
  [{ scopes: ['users:read', 'orders:read'] }],
  [{ claims: { sub: 'alice' } }],
  [{ claims: { roles: 'buyer' } }],
  [{ claims: { roles: ['boss', 'clerk'], level: 3, admin: false } }],
  [{ claims: { 'org.name': 'shop', '["https://x/plan"]': ['pro', 'max'] } }],
  [{ from: ['10.0.0.0/8', '::1'] }, { address: '10.1.2.3' }],
  [{ from: ['2001:db8::/32'] }, { address: '2001:db8::5%eth0' }],
  [{ methods: ['GET'], scopes: ['orders:read'], when: 'claims.level > 2' }],
  ['claims.sub == params.user', { params: { user: 'alice' } }],
  ['principal.id == "alice" && principal.level == 3'],
  ['"buyer" in claims.roles'],
  ['claims.roles.exists(role, role.startsWith("bu"))'],
  ['claims.roles.filter(role, role in ["buyer", "boss"]).exists(role, role.startsWith("bu"))'],
  ['claims.org.name == "shop" && claims["https://x/plan"] == "pro"'],
  ['has(claims.org) && !has(claims.none)'],
  ['method in ["GET", "POST"] && path.startsWith("/orders/")', { path: '/orders/7' }],
  [
    'header["x-beta"] == "1" && header.accept.contains("json")',
    { fields: { 'x-beta': '1', accept: 'application/json' } },
  ],
  ['"x-beta" in header', { fields: { 'x-beta': '1' } }],
  ['!("x-beta" in header) && !has(header.x_beta)'],
  ['cookie.lang == "de" && query.v == "2"', { fields: { cookie: 'lang=de' }, query: '?v=2' }],
  ['client.address.inRange("192.0.2.0/24") && client.scheme == "http"'],
  ['host == "shop.example" && route == "test"', { authority: 'SHOP.example:80' }],
  ['"orders:read" in scopes && size(scopes) == 2'],
  ['claims.none == 1 || claims.sub == "alice"'],
  ['true', { who: null }],
];
for (const [rule, request] of HOLDS) {
  test(`${JSON.stringify(rule)} holds`, async () => {
    expect(await judged({ allow: [rule] }, request)).toBe('allowed');
    expect(await judged({ allow: 'everybody', deny: [rule] }, request)).toBe('denied by "deny 1"');
  });
}

const FAILS: [rule: unknown, request?: Case][] = [
  [{ methods: ['POST'] }],
  [{ claims: { sub: 'Alice' } }],
  [{ claims: { level: '3' } }],
  [{ claims: { none: 'x' } }],
  [{ claims: { constructor: 'x' } }],
  [{ from: ['10.0.0.0/8'] }],
  [{ from: ['0.0.0.0/0'] }, { address: 'nonsense' }],
  [{ claims: { sub: 'alice' }, methods: ['POST'] }],
  ['claims.sub == params.user', { params: { user: 'bob' } }],
  ['claims.level > 3'],
  ['client.address.inRange("10.0.0.0/8")'],
  ['claims.sub == "alice"', { who: { claims: { sub: 'bob' } } }],
  ['has(principal.id)', { who: null }],
];
for (const [rule, request] of FAILS) {
  test(`${JSON.stringify(rule)} does not hold`, async () => {
    expect(await judged({ allow: [rule] }, request)).toBe('no rule allows it');
    expect(await judged({ allow: 'everybody', deny: [rule] }, request)).toBe('allowed');
  });
}

test('what has no answer allows nothing, and denies', async () => {
  for (const rule of [
    'claims.none == 1',
    'claims.roles',
    'claims.sub > 3',
    'int(claims.sub) == 1',
    '1 / 0 == 1',
  ]) {
    expect(await judged({ allow: [rule] })).toBe('no rule allows it');
    expect(await judged({ allow: 'everybody', deny: [{ name: 'odd', when: rule }] })).toBe('denied by "odd"');
  }
});

test('one rule that holds is enough, unless one that denies holds too', async () => {
  const allow = [{ methods: ['POST'] }, { name: 'clerks', claims: { roles: 'clerk' } }];
  expect(await judged({ allow })).toBe('allowed');
  expect(await judged({ allow, deny: [{ name: 'shut', from: ['192.0.2.1'] }] })).toBe('denied by "shut"');
});

test('who lacks nothing but scopes is told which', async () => {
  const allow = [
    { methods: ['POST'], scopes: ['orders:write'] },
    { name: 'readers', methods: ['GET'], scopes: ['orders:read', 'all'] },
  ];
  const chain = await builtInChain(['authorize', { allow }]);
  const x = exchangeOf();
  x.principal = { id: 'a', claims: {}, scopes: ['orders:read'], by: 'test' };
  expect(await runBefore(chain, x)).toMatchObject({
    status: 403,
    fields: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="orders:read all"' },
  });
});

const REFUSED: [config: unknown, path: (string | number)[], message: RegExp][] = [
  [{}, ['allow'], /missing/],
  [{ allow: [] }, ['allow'], /./],
  [{ allow: 'anybody' }, ['allow'], /./],
  [{ allow: [{}] }, ['allow', 0], /needs a condition/],
  [{ allow: [{ name: 'x' }] }, ['allow', 0], /needs a condition/],
  [{ allow: [{ scope: ['a'] }] }, ['allow', 0, 'scope'], /unknown key/],
  [{ allow: [{ methods: ['get'] }] }, ['allow', 0, 'methods', 0], /method such as GET/],
  [{ allow: [{ scopes: ['a b'] }] }, ['allow', 0, 'scopes', 0], /scope/],
  [{ allow: [{ from: ['10.0.0.0/33'] }] }, ['allow', 0, 'from', 0], /range/],
  [{ allow: [{ claims: { 'a b': 1 } }] }, ['allow', 0, 'claims', 'a b'], /no word/],
  [
    { allow: [{ when: 'clams.sub == "a"' }] },
    ['allow', 0, 'when'],
    /unknown variable: clams \(character 1\); there are claims, client/,
  ],
  [{ allow: ['client.adress == ""'] }, ['allow', 0], /no word "client\.adress".*\(character 1\)/],
  [{ allow: ['claims.sub = "a"'] }, ['allow', 0], /unexpected character: = \(character 12\)/],
  [{ allow: ['claims.sub == "a" &&'] }, ['allow', 0], /\(character/],
  [{ allow: ['size(scopes)'] }, ['allow', 0], /gives int, not true or false/],
  [{ allow: ['method == 3'] }, ['allow', 0], /no such overload/],
  [{ allow: ['method.lowercase() == "get"'] }, ['allow', 0], /no matching overload/],
  [{ allow: ['path.matches("(a+)+$")'] }, ['allow', 0], /matches is not taken/],
  [{ allow: ['header[method] == "x"'] }, ['allow', 0], /written out as text/],
  [{ allow: ['size(header) > 1'] }, ['allow', 0], /header needs a name/],
  [{ allow: ['scopes.exists(a, scopes.exists(b, a == b))'] }, ['allow', 0], /exists inside of a loop/],
  [{ allow: ['claims.a.exists(x, x in claims.b)'] }, ['allow', 0], /written out can be searched/],
  [{ allow: ['scopes.exists(x, header.a.split(",").size() > 1)'] }, ['allow', 0], /split inside of a loop/],
  [{ allow: ['client.address.inRange("10.0.0.0/40")'] }, ['allow', 0], /inRange needs/],
  [{ allow: ['client.address.inRange(header.x)'] }, ['allow', 0], /inRange needs/],
  [{ allow: [`"${'x'.repeat(2000)}" == method`] }, ['allow', 0], /longer than 2000/],
  [{ allow: [`${'('.repeat(40)}true${')'.repeat(40)}`] }, ['allow', 0], /maxDepth/],
  [{ allow: [{ when: 'true', name: 'a"b' }] }, ['allow', 0, 'name'], /short name/],
  [{ allow: ['true'], deny: ['__proto__ == 1'] }, ['deny', 0], /./],
];
for (const [config, path, message] of REFUSED) {
  test(`${JSON.stringify(config).slice(0, 80)} is refused`, async () => {
    const issues = await configIssues('authorize', config);
    expect(issues[0]).toMatchObject({ path, message: expect.stringMatching(message) });
  });
}
