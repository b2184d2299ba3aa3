import { describe, expect, test } from 'vitest';
import { createGuard, isLoopback } from '../../../src/admin/guard.ts';
import { RESOURCES } from '../../../src/admin/resources.ts';

const of = (path: string) => RESOURCES.find((resource) => resource.path === path)!;
const check = (guard: ReturnType<typeof createGuard>, path: string, headers: Record<string, string> = {}) =>
  guard.check(of(path), {
    method: of(path).method,
    hosts: 1,
    headers: { host: '127.0.0.1:8081', ...headers },
  })?.status ?? 200;

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['1270.0.0.1', false],
])('%s is loopback: %s', (address, loopback) => {
  expect(isLoopback(address)).toBe(loopback);
});

describe('beyond loopback', () => {
  const withToken = createGuard(false, 'sesame');
  const without = createGuard(false, null);

  test.each(['/metrics', '/healthz', '/readyz'])('%s needs no token', (path) => {
    expect(check(withToken, path)).toBe(200);
    expect(check(without, path)).toBe(200);
  });

  test.each(['/', '/routes', '/upstreams', '/config', '/version', '/reload'])(
    '%s needs the token',
    (path) => {
      const json = { 'content-type': 'application/json' };
      expect(check(withToken, path, json)).toBe(401);
      expect(check(withToken, path, { ...json, authorization: 'Bearer wrong' })).toBe(401);
      expect(check(withToken, path, { ...json, authorization: 'Basic sesame' })).toBe(401);
      expect(check(withToken, path, { ...json, authorization: 'Bearer sesame x' })).toBe(401);
      expect(check(withToken, path, { ...json, authorization: '' })).toBe(401);
      expect(check(withToken, path, { authorization: 'Bearer sesame' })).toBe(200);
      expect(check(withToken, path, { authorization: 'bearer sesame' })).toBe(200);
    },
  );

  test('with no token configured nothing opens them, and the answer says what to do', () => {
    expect(check(without, '/routes', { authorization: 'Bearer ' })).toBe(403);
    expect(check(without, '/routes', { authorization: 'Bearer null' })).toBe(403);
    const refusal = without.check(of('/routes'), { method: 'GET', hosts: 1, headers: { host: 'x' } })!;
    expect(refusal.body).toContain('127.0.0.1');
  });

  test('any host name may be asked for', () => {
    expect(check(withToken, '/metrics', { host: 'gateway.internal:8081' })).toBe(200);
  });
});

describe('on loopback', () => {
  const guard = createGuard(true, null);

  test.each([
    'localhost',
    'localhost:8081',
    'LOCALHOST',
    'a.localhost',
    '127.0.0.1',
    '[::1]:8081',
    '10.1.2.3:80',
  ])('the host %s may be asked for', (host) => {
    expect(check(guard, '/routes', { host })).toBe(200);
  });

  test.each([
    'evil.example',
    'evil.example:8081',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '',
    '[::1',
  ])('the host %j may not, for any resource', (host) => {
    expect(check(guard, '/routes', { host })).toBe(421);
    expect(check(guard, '/metrics', { host })).toBe(421);
  });

  test('two Host fields are refused', () => {
    expect(
      guard.check(of('/metrics'), { method: 'GET', hosts: 2, headers: { host: 'localhost' } })?.status,
    ).toBe(400);
  });

  test('pages of other origins are refused', () => {
    expect(check(guard, '/routes', { origin: 'http://evil.example' })).toBe(403);
    expect(check(guard, '/routes', { origin: 'null' })).toBe(403);
    expect(check(guard, '/routes', { origin: 'http://127.0.0.1:3000' })).toBe(403);
    expect(check(guard, '/routes', { origin: 'http://127.0.0.1:8081' })).toBe(200);
  });

  test.each([
    [{}, 415],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 415],
    [{ 'content-type': 'text/plain; application/json' }, 415],
    [{ 'content-type': 'multipart/form-data' }, 415],
    [{ 'content-type': 'application/json; charset=utf-8' }, 200],
    [{ 'x-snowgate': '1' }, 200],
  ])('a POST with %j gives %d', (headers, status) => {
    expect(check(guard, '/reload', headers)).toBe(status);
  });

  test('a token is not needed, but a wrong one is refused', () => {
    const both = createGuard(true, 'sesame');
    expect(check(both, '/routes')).toBe(200);
    expect(check(both, '/routes', { authorization: 'Bearer sesame' })).toBe(200);
    expect(check(both, '/routes', { authorization: 'Bearer wrong' })).toBe(401);
  });
});
