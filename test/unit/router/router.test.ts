/** Which route wins, which misses, and what becomes of the parameters. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareCandidates, conditionsHold, createCandidate } from '../../../src/router/candidate.ts';
import { hostFits, hostOf } from '../../../src/router/host.ts';
import { patternFits } from '../../../src/router/pattern.ts';
import type { RouteMatch } from '../../../src/router/route-match.ts';
import { createRouter } from '../../../src/router/router.ts';
import { headOf, routeOf } from '../../kit/router.ts';

/** Name of the route that a request reaches, or the kind of the miss. */
const reached = (routes: readonly RouteMatch[], ...request: Parameters<typeof headOf>): string => {
  const match = createRouter(routes).match(headOf(...request));
  return match.kind === 'found' ? routes[match.index]!.name : match.kind;
};

describe('paths', () => {
  test.each([
    ['/a/**', '/a', true],
    ['/a/**', '/a/', true],
    ['/a/**', '/a/b', true],
    ['/a/**', '/a/b/c/', true],
    ['/a/**', '/aX', false],
    ['/a/**', '/', false],
    ['/**', '/', true],
    ['/**', '/a/b', true],
    ['/', '/', true],
    ['/', '/a', false],
    ['/a/*', '/a/b', true],
    ['/a/*', '/a/', false],
    ['/a/*', '/a', false],
    ['/a/*', '/a/b/', false],
    ['/a/*', '/a/b/c', false],
    ['/a/{id}', '/a/b', true],
    ['/a/{id}', '/a/', false],
    ['/a/{id}/', '/a/b/', true],
    ['/a/{id}/', '/a/b', false],
    ['/a/{id}/c', '/a/b/c', true],
    ['/{x}/**', '/', false],
    ['/{x}/**', '/a', true],
    ['/{x}/**', '/a/', true],
    ['/a', '/a/', false],
    ['/a/', '/a', false],
    ['/a', '/A', false],
    ['/a;b', '/a;b', true],
    ['/a', '/a;b', false],
    ['/a:b/c::d', '/a:b/c::d', true],
    ['/a(b)/c', '/a(b)/c', true],
    ['/{id}-x', '/1-x', false],
    ['/a%20b', '/a%20b', true],
    ['/a b', '/a%20b', true],
    ['/café', '/caf%c3%a9', true],
    ['/café/{x}', '/caf%C3%A9/1', true],
    ['/%61', '/a', true],
    ['/a', '/%61', true],
    ['/a%25b', '/a%25b', true],
    ['/a%2525b', '/a%25b', false],
    ['/a@b', '/a@b', true],
  ])('%s and %s: %s', (pattern, path, fits) => {
    if (pattern === '/{id}-x') expect(() => createRouter([routeOf(pattern)])).toThrow(/whole segment/);
    else expect(reached([routeOf(pattern)], 'GET', path)).toBe(fits ? pattern : 'not-found');
  });

  test('the most specific path wins, whatever the order in the file', () => {
    const paths = ['/**', '/a/**', '/{x}/b', '/a/*', '/a/{id}/c', '/a/b', '/a/b/**'];
    for (const list of [paths, paths.toReversed()]) {
      const routes = list.map((path) => routeOf(path));
      expect(reached(routes, 'GET', '/a/b')).toBe('/a/b');
      expect(reached(routes, 'GET', '/a/b/c')).toBe('/a/b/**');
      expect(reached(routes, 'GET', '/a/x')).toBe('/a/*');
      expect(reached(routes, 'GET', '/a/x/c')).toBe('/a/{id}/c');
      expect(reached(routes, 'GET', '/a/x/d')).toBe('/a/**');
      expect(reached(routes, 'GET', '/x/b')).toBe('/{x}/b');
      expect(reached(routes, 'GET', '/x/c')).toBe('/**');
    }
  });

  test('a parameter of any length stays with its route', () => {
    expect(reached([routeOf('/a/{id}'), routeOf('/**')], 'GET', `/a/${'x'.repeat(8000)}`)).toBe('/a/{id}');
  });

  test('a path that names a scheme is no path', () => {
    expect(reached([routeOf('/**')], 'GET', '*')).toBe('bad-path');
  });
});

describe('parameters', () => {
  const paramsOf = (route: RouteMatch, target: string) => {
    const match = createRouter([route]).match(headOf('GET', target));
    return match.kind === 'found' ? { ...match.params } : match.kind;
  };

  test('are decoded once, by their names', () => {
    expect(paramsOf(routeOf('/{a}/*/{b}'), '/x%20y/z/%2541')).toEqual({ a: 'x y', b: '%41' });
    expect(paramsOf(routeOf('/u/{id}'), '/u/caf%c3%a9')).toEqual({ id: 'café' });
    expect(paramsOf(routeOf('/u/{id}/**'), '/u/7/a/b')).toEqual({ id: '7' });
    expect(paramsOf(routeOf('/{__proto__}'), '/x')).toEqual({ ['__proto__']: 'x' });
  });

  test('that are not UTF-8 are refused, while paths without parameters may be', () => {
    expect(paramsOf(routeOf('/u/{id}'), '/u/%ff')).toBe('bad-path');
    expect(paramsOf(routeOf('/u/**'), '/u/%ff')).toEqual({});
  });

  test('may stand in the host', () => {
    const route = routeOf('/{id}', { host: '{tenant}.shop.example' });
    expect(paramsOf(route, 'http://acme.shop.example:8080/7')).toEqual({ tenant: 'acme', id: '7' });
    expect(paramsOf(route, 'http://shop.example/7')).toBe('not-found');
    expect(paramsOf(route, 'http://a.b.shop.example/7')).toBe('not-found');
  });

  test('keep an encoded slash only where the route allows it', () => {
    expect(paramsOf(routeOf('/r/{id}'), '/r/a%2Fb')).toBe('bad-path');
    expect(paramsOf(routeOf('/r/{id}', { allow: ['encoded-slash'] }), '/r/a%2fb')).toEqual({ id: 'a/b' });
  });
});

describe('hosts', () => {
  const hosts = [
    '',
    '*.example.com',
    '{tenant}.example.com',
    'a.example.com',
    '*.b.example.com',
    'münchen.example',
  ];
  const routes = hosts.map((host) => routeOf('/**', { host, name: host }));
  test.each([
    ['a.example.com', 'a.example.com'],
    ['A.Example.COM', 'a.example.com'],
    ['a.example.com.', 'a.example.com'],
    ['a.example.com:81', 'a.example.com'],
    ['a.example.com.:81', 'a.example.com'],
    ['x.example.com', '{tenant}.example.com'],
    ['x.y.example.com', '*.example.com'],
    ['x.b.example.com', '*.b.example.com'],
    ['x.y.b.example.com', '*.b.example.com'],
    ['example.com', ''],
    ['badexample.com', ''],
    ['.example.com', ''],
    ['xn--mnchen-3ya.example', 'münchen.example'],
    ['MÜNCHEN.example', 'münchen.example'],
    ['[::1]:80', ''],
    ['', ''],
  ])('%s reaches %s', (host, name) => {
    expect(reached(routes, 'GET', `http://${host}/x`)).toBe(name);
  });

  test('an address of version 6 is one host', () => {
    expect(reached([routeOf('/', { host: '[::1]', name: 'six' })], 'GET', 'http://[::1]:8080/')).toBe('six');
  });

  test('the path weighs more than the host', () => {
    const pair = [routeOf('/**', { host: 'a.example', name: 'host' }), routeOf('/x/**', { name: 'path' })];
    expect(reached(pair, 'GET', 'http://a.example/x')).toBe('path');
    expect(reached(pair, 'GET', 'http://a.example/y')).toBe('host');
  });

  test('ten thousand hosts on one path find their own', () => {
    const many = Array.from({ length: 10_000 }, (_, at) =>
      routeOf('/**', { host: `h${at}.example`, name: `${at}` }),
    );
    const router = createRouter(many);
    for (const at of [0, 31, 32, 9999])
      expect(router.match(headOf('GET', `http://h${at}.example/x`))).toMatchObject({
        kind: 'found',
        index: at,
      });
    expect(router.match(headOf('GET', 'http://other.example/x')).kind).toBe('not-found');
  });
});

describe('conditions', () => {
  const routes = [
    routeOf('/a', { name: 'plain' }),
    routeOf('/a', { name: 'beta', headers: { 'x-beta': '1' } }),
    routeOf('/a', { name: 'beta-v2', headers: { 'X-Beta': '1' }, query: { v: '2' } }),
    routeOf('/a/b', { name: 'b-beta', headers: { 'x-beta': '1' } }),
    routeOf('/a/**', { name: 'wide' }),
  ];

  test('more of them win, and one that fails falls to the next', () => {
    expect(reached(routes, 'GET', '/a')).toBe('plain');
    expect(reached(routes, 'GET', '/a', { 'x-beta': '1' })).toBe('beta');
    expect(reached(routes, 'GET', '/a?x&v=2', { 'x-beta': '1' })).toBe('beta-v2');
    expect(reached(routes, 'GET', '/a?v=22', { 'x-beta': '1' })).toBe('beta');
    expect(reached(routes, 'GET', '/a?v=1&v=2', { 'x-beta': '1' })).toBe('beta');
    expect(reached(routes, 'GET', '/a?%76=%32', { 'x-beta': '1' })).toBe('beta-v2');
    expect(reached(routes, 'GET', '/a', { 'x-beta': '11' })).toBe('plain');
  });

  test('that fail on a narrow path leave the wider one', () => {
    expect(reached(routes, 'GET', '/a/b', { 'x-beta': '1' })).toBe('b-beta');
    expect(reached(routes, 'GET', '/a/b')).toBe('wide');
  });

  test('more than thirty routes may share a path', () => {
    const many = Array.from({ length: 100 }, (_, at) =>
      routeOf('/a', { name: `${at}`, headers: { n: `${at}` } }),
    );
    expect(reached(many, 'GET', '/a', { n: '99' })).toBe('99');
  });
});

describe('methods', () => {
  const routes = [
    routeOf('/a/b', { name: 'get', methods: ['GET'] }),
    routeOf('/a/b', { name: 'post', methods: ['POST'] }),
    routeOf('/a/{x}', { name: 'put', methods: ['PUT'] }),
  ];
  const preflight = { origin: 'https://x', 'access-control-request-method': 'POST' };

  test('choose among equals, and fall to a wider path', () => {
    expect(reached(routes, 'GET', '/a/b')).toBe('get');
    expect(reached(routes, 'HEAD', '/a/b')).toBe('get');
    expect(reached(routes, 'POST', '/a/b')).toBe('post');
    expect(reached(routes, 'PUT', '/a/b')).toBe('put');
    expect(reached(routes, 'get', '/a/b')).toBe('method');
  });

  test('that none takes are told with all that would do', () => {
    expect(createRouter(routes).match(headOf('DELETE', '/a/b'))).toEqual({
      kind: 'method',
      allow: ['GET', 'HEAD', 'POST', 'PUT'],
      index: 0,
      path: '/a/b',
    });
    expect(createRouter(routes).match(headOf('DELETE', '/a/c'))).toMatchObject({ allow: ['PUT'], index: 2 });
    expect(reached(routes, 'DELETE', '/b')).toBe('not-found');
  });

  test('a route that fits but for its host tells nothing of its methods', () => {
    expect(reached([routeOf('/a', { methods: ['GET'], host: 'x.example' })], 'POST', '/a')).toBe('not-found');
  });

  test('named ones come before none', () => {
    expect(
      reached(
        [routeOf('/a', { name: 'all' }), routeOf('/a', { name: 'get', methods: ['GET'] })],
        'GET',
        '/a',
      ),
    ).toBe('get');
  });

  test('a preflight goes where its request would go', () => {
    expect(reached(routes, 'OPTIONS', '/a/b', preflight)).toBe('post');
    expect(
      reached(routes, 'OPTIONS', '/a/b', { ...preflight, 'access-control-request-method': 'PATCH' }),
    ).toBe('get');
    expect(reached(routes, 'OPTIONS', '/a/b')).toBe('method');
    expect(reached(routes, 'OPTIONS', '/a/b', { origin: 'https://x' })).toBe('method');
    expect(reached(routes, 'OPTIONS', '/b', preflight)).toBe('not-found');
  });

  test('a match leaves nothing behind for the next', () => {
    const router = createRouter(routes);
    router.match(headOf('OPTIONS', '/a/b', preflight));
    expect(router.match(headOf('OPTIONS', '/a/b')).kind).toBe('method');
    router.match(headOf('DELETE', '/a/b'));
    expect(router.match(headOf('DELETE', '/a/c'))).toMatchObject({ allow: ['PUT'] });
  });
});

describe('what a route allows', () => {
  test('opens the path for that route alone', () => {
    const routes = [
      routeOf('/a/**', { name: 'strict' }),
      routeOf('/a/files/**', { name: 'files', allow: ['encoded-slash'] }),
      routeOf('/b/**', { name: 'b', allow: ['double-slash'], methods: ['GET'] }),
    ];
    expect(reached(routes, 'GET', '/a/files/x%2Fy')).toBe('files');
    expect(reached(routes, 'GET', '/a/x%2Fy')).toBe('bad-path');
    expect(reached(routes, 'GET', '/a/files//y')).toBe('bad-path');
    expect(reached(routes, 'GET', '/b//c')).toBe('b');
    expect(reached(routes, 'POST', '/b//c')).toBe('method');
    expect(reached(routes, 'GET', '/b//c%2Fd')).toBe('bad-path');
    expect(reached(routes, 'GET', '/b/%00')).toBe('bad-path');
  });

  test('an empty segment is no parameter even where it is allowed', () => {
    const routes = [routeOf('/{x}/b', { allow: ['double-slash'] })];
    expect(reached(routes, 'GET', '//b')).toBe('bad-path');
  });

  test('the canonical path is what goes on', () => {
    expect(createRouter([routeOf('/**')]).match(headOf('GET', '/a/../%62/./c'))).toMatchObject({
      path: '/b/c',
    });
  });
});

describe('malformed routes are named', () => {
  test.each([
    ['a', '', /begins with/],
    ['/a/**/b', '', /last segment/],
    ['/a*', '', /whole segment/],
    ['/a//**', '', /one slash/],
    ['/{a}/{a}', '', /twice/],
    ['/../a', '', /no request/],
    ['/{a}', '{a}.x', /host and in the path/],
    ['/', 'a.*.x', /beginning/],
    ['/', '*.*.x', /beginning/],
    ['/', 'a{b}.x', /whole label/],
  ])('%s on %j', (path, host, message) => {
    expect(() => createRouter([routeOf(path, { host, name: 'r1' })])).toThrow(message);
    expect(() => createRouter([routeOf(path, { host, name: 'r1' })])).toThrow('Route r1:');
  });
});

const segment = fc.constantFrom('a', 'b', 'ab', 'a:b', '%20', '{x}', '*', '');
const pattern = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
  .map(([parts, deep]) => `/${parts.join('/')}${deep ? (parts.length === 0 ? '**' : '/**') : ''}`)
  .filter((text) => !text.endsWith('//**') && (text.match(/\{x\}/g) ?? []).length < 2);
const route = fc.record({
  path: pattern,
  host: fc.constantFrom('', '', 'a.x', '*.x', '{h}.x'),
  methods: fc.constantFrom([], ['GET'], ['POST']),
  headers: fc.constantFrom({}, { h: '1' }),
  allow: fc.constantFrom([], ['double-slash' as const]),
});
const request = fc.record({
  path: fc
    .array(fc.constantFrom('a', 'b', 'ab', 'a:b', '%20', 'c', ''), { maxLength: 4 })
    .map((parts) => `/${parts.join('/')}`),
  host: fc.constantFrom('a.x', 'b.x', 'a.b.x', 'x'),
  header: fc.boolean(),
});

/** Rank of each segment, from the left: literal, then parameter, then the open end. */
const rankOf = (path: string): string =>
  path
    .slice(1)
    .split('/')
    .map((text) => (text === '**' ? '2' : text === '*' || text === '{x}' ? '1' : '0'))
    .join('');

test('the engine chooses as a plain search through all routes does', () => {
  fc.assert(
    fc.property(fc.array(route, { maxLength: 8 }), request, (partial, asked) => {
      const routes = partial.map((one) => routeOf(one.path, one));
      const head = headOf('GET', `http://${asked.host}${asked.path}`, asked.header ? { h: '1' } : {});
      const doubled = asked.path.includes('//');
      const best = routes
        .map(createCandidate)
        .filter(
          (one) =>
            patternFits(one.pattern, asked.path) &&
            hostFits(one.host, hostOf(asked.host)) &&
            conditionsHold(one, head) &&
            (one.methods === null || one.methods.includes('GET')) &&
            (!doubled || routes[one.index]!.allow.includes('double-slash')),
        )
        .sort((a, b) => {
          const [left, right] = [rankOf(routes[a.index]!.path), rankOf(routes[b.index]!.path)];
          // A path that ends before another's open end is the narrower one.
          const order = left === right ? 0 : `${left}1`.slice(0, 9) < `${right}1`.slice(0, 9) ? -1 : 1;
          return order || compareCandidates(a, b);
        })[0];
      const match = createRouter(routes).match(head);
      expect(match.kind === 'found' ? match.index : null).toBe(best?.index ?? null);
    }),
    { numRuns: 3000 },
  );
});
