/** What people are told of their routes: why each did or did not get a request, and which never will. */
import { describe, expect, test } from 'vitest';
import { pathProblem } from '../../../src/router/path.ts';
import { routeProblem } from '../../../src/router/problem.ts';
import type { RouteMatch } from '../../../src/router/route-match.ts';
import { createRouter } from '../../../src/router/router.ts';
import { shadowed } from '../../../src/router/shadowed.ts';
import { headOf, routeOf } from '../../kit/router.ts';

const explain = (routes: readonly RouteMatch[], ...request: Parameters<typeof headOf>) =>
  createRouter(routes).explain(headOf(...request));

describe('explain', () => {
  const verdict = (route: RouteMatch, ...request: Parameters<typeof headOf>) => {
    const { outcome, why } = explain([route], ...request).routes[0]!;
    return `${outcome}: ${why}`;
  };

  test('the winner and those that fit behind it', () => {
    const routes = [
      routeOf('/**', { name: 'all' }),
      routeOf('/a/{x}', { name: 'param' }),
      routeOf('/a/b', { name: 'plain' }),
      routeOf('/a/b', { name: 'get', methods: ['GET'] }),
      routeOf('/a/b', { name: 'again', methods: ['GET'] }),
      routeOf('/a/b', { name: 'beta', headers: { 'x-beta': '1' } }),
      routeOf('/a/b', { name: 'host', host: '*.x' }),
      routeOf('/a/b', { name: 'winner', host: 'a.x' }),
      routeOf('/c', { name: 'other', host: 'a.x' }),
    ];
    const fields = { 'x-beta': '1' };
    const told = (count: number) =>
      explain(routes.slice(0, count), 'GET', 'http://a.x:80/a/./b', fields).routes.map((one) => one.why);
    expect(told(9)).toEqual([
      'it fits, but the path of winner is more specific',
      'it fits, but the path of winner is more specific',
      'it fits, but the host of winner is more specific',
      'it fits, but the host of winner is more specific',
      'it fits, but the host of winner is more specific',
      'it fits, but the host of winner is more specific',
      'it fits, but the host of winner is more specific',
      'it fits, and nothing more specific does',
      'the path /a/b does not fit /c',
    ]);
    expect(told(6).slice(2, 5)).toEqual(Array(3).fill('it fits, but beta has more conditions'));
    expect(told(5).slice(2)).toEqual([
      'it fits, but get names its methods',
      'it fits, and nothing more specific does',
      'it fits, but get stands earlier in the file',
    ]);
    const whole = explain(routes, 'GET', 'http://a.x:80/a/./b', fields);
    expect(whole).toMatchObject({
      path: '/a/b',
      host: 'a.x',
      problem: null,
      match: { kind: 'found', index: 7 },
    });
    expect(structuredClone(whole.routes)).toEqual(whole.routes);
  });

  test.each([
    ['/a', 'GET', '/a/', 'near: it fits without the slash at the end'],
    ['/a/', 'GET', '/a', 'near: it fits with a slash at the end'],
    ['/{x}', 'GET', '/a/', 'near: it fits without the slash at the end'],
    ['/Orders/{id}', 'GET', '/orders/7', 'near: it fits but for upper and lower case'],
    [
      '/a',
      'GET',
      '/a/b',
      'near: the path goes on where the route ends; a route that ends in /** takes what is below it',
    ],
    ['/', 'GET', '/a', 'missed: the path /a does not fit /'],
    ['/a/**', 'GET', '/aX', 'missed: the path /aX does not fit /a/**'],
  ])('%s on %s %s is %s', (path, method, target, expected) => {
    expect(verdict(routeOf(path), method, target)).toBe(expected);
  });

  test.each([
    [{ methods: ['GET', 'PUT'] }, 'POST', 'near: it takes GET, PUT, HEAD, not POST'],
    [{ headers: { 'x-a': '1' } }, 'GET', 'near: it wants the header x-a: 1, and got none'],
    [{ query: { v: '2' } }, 'GET', 'near: it wants v=2 in the query, and got 1'],
    [{ host: 'b.x' }, 'GET', 'missed: the host a.x does not fit b.x'],
    [
      { host: 'b.x', methods: ['GET'] },
      'PUT',
      'missed: the host a.x does not fit b.x; it takes GET, HEAD, not PUT',
    ],
  ])('what is missing is named: %j', (more, method, expected) => {
    expect(verdict(routeOf('/a', more), method, 'http://a.x/a?v=1')).toBe(expected);
  });

  test('a path that is refused is told with its reason, and with the route that could allow it', () => {
    const told = explain(
      [routeOf('/a/**'), routeOf('/a/**', { allow: ['double-slash'] })],
      'GET',
      '/a/b%2fc',
    );
    expect(told).toMatchObject({
      match: { kind: 'bad-path' },
      problem: 'it contains %2F, which no matching route allows',
      path: '/a/b%2Fc',
    });
    expect(told.routes.map((one) => one.outcome)).toEqual(['near', 'near']);
    expect(told.routes[0]!.misses).toEqual([{ part: 'allow', wanted: 'encoded-slash', got: '%2F' }]);
    expect(explain([routeOf('/**')], 'GET', '/a/../../b').path).toBeNull();
    expect(verdict(routeOf('/{x}'), 'GET', '/%ff')).toBe(
      'near: it fits, but a parameter in the path is not UTF-8',
    );
  });

  test('a preflight is told as what it announces', () => {
    const routes = [
      routeOf('/a', { name: 'get', methods: ['GET'] }),
      routeOf('/a', { name: 'put', methods: ['PUT'] }),
    ];
    const told = explain(routes, 'OPTIONS', '/a', {
      origin: 'https://x',
      'access-control-request-method': 'PUT',
    });
    expect(told.routes.map((one) => one.why)).toEqual([
      'it fits, but put takes the request that this preflight announces',
      'it fits, and nothing more specific does',
    ]);
  });
});

describe('what is wrong with a path is told', () => {
  test.each([
    ['/a', null],
    ['a', 'it does not begin with /'],
    ['/a%5c', 'it contains a backslash'],
    ['/a%00', 'it contains a control character or a space'],
    ['/é', 'it contains a character outside ASCII that is not percent-encoded'],
    ['/%zz', 'it contains a % that is not followed by two hexadecimal digits'],
    ['/a#b', 'it contains # or ?'],
    ['/../a', 'its dot segments climb over the root or hide beside ; or %2F'],
    ['/a/..;/b', 'its dot segments climb over the root or hide beside ; or %2F'],
    ['/a%2fb', 'it contains %2F, which no matching route allows'],
    ['/a//b', 'it contains //, which no matching route allows'],
  ])('%j: %s', (raw, problem) => {
    expect(pathProblem(raw)).toBe(problem);
  });
});

test.each([
  ['/a', '', [], null],
  ['/a/**/b', '', [], /last segment/],
  ['/a', '*.{x}.y', [], /beginning/],
  ['/{a}', '{a}.y', [], /host and in the path/],
  ['/a%2fb', '', [], /encoded-slash/],
  ['/a%2fb', '', ['encoded-slash'], null],
  ['/a//b', '', [], /double-slash/],
  ['/a//b', '', ['double-slash'], null],
  ['/a/', '', [], null],
  ['/', '', [], null],
] as const)('what is wrong with the route %s on %j that allows %j', (path, host, allow, message) => {
  const problem = routeProblem({ path, host, allow });
  if (message === null) expect(problem).toBeNull();
  else expect(problem).toMatch(message);
});

describe('a route that can never match', () => {
  const hidden = (...routes: RouteMatch[]) => shadowed(routes).map(({ index, by }) => [index, by]);

  test('stands behind one that wants the same, or less of a method', () => {
    expect(hidden(routeOf('/a'), routeOf('/a'))).toEqual([[1, 0]]);
    expect(hidden(routeOf('/{x}'), routeOf('/*'))).toEqual([[1, 0]]);
    expect(hidden(routeOf('/a/**'), routeOf('/a/**'), routeOf('/a/**'))).toEqual([
      [1, 0],
      [2, 0],
    ]);
    expect(hidden(routeOf('/a', { methods: ['GET', 'PUT'] }), routeOf('/a', { methods: ['HEAD'] }))).toEqual([
      [1, 0],
    ]);
    expect(hidden(routeOf('/a', { host: '{x}.y' }), routeOf('/a', { host: '{z}.y' }))).toEqual([[1, 0]]);
    expect(
      hidden(routeOf('/a', { headers: { A: '1', b: '2' } }), routeOf('/a', { headers: { b: '2', a: '1' } })),
    ).toEqual([[1, 0]]);
    expect(hidden(routeOf('/%61'), routeOf('/a'))).toEqual([[1, 0]]);
  });

  test('may be hidden by several together', () => {
    const both = routeOf('/a', { methods: ['PUT', 'POST'] });
    expect(hidden(routeOf('/a', { methods: ['PUT'] }), routeOf('/a', { methods: ['POST'] }), both)).toEqual([
      [2, 0],
    ]);
    expect(hidden(routeOf('/a', { methods: ['PUT'] }), both)).toEqual([]);
  });

  test('is none where anything else differs', () => {
    expect(hidden(routeOf('/a/**'), routeOf('/a'), routeOf('/a/'), routeOf('/a/*'))).toEqual([]);
    expect(hidden(routeOf('/a'), routeOf('/a', { methods: ['GET'] }))).toEqual([]);
    expect(hidden(routeOf('/a', { methods: ['GET'] }), routeOf('/a'))).toEqual([]);
    expect(hidden(routeOf('/a'), routeOf('/a', { host: 'x' }), routeOf('/a', { query: { x: '1' } }))).toEqual(
      [],
    );
    expect(hidden(routeOf('/a'), routeOf('/a', { allow: ['double-slash'] }))).toEqual([]);
    expect(hidden(routeOf('/a', { allow: ['double-slash'] }), routeOf('/a'))).toEqual([[1, 0]]);
    expect(hidden(routeOf('bad'), routeOf('bad'))).toEqual([]);
  });
});
