/** Only harmless trailers pass, in both directions. */
import { describe, expect, it } from 'vitest';
import { requestTrailers, responseTrailers, trailerAllowed } from '../../../src/server/trailers.ts';
import { fields } from '../../kit/server.ts';

describe('trailerAllowed', () => {
  it.each([
    'grpc-status',
    'grpc-message',
    'x-checksum',
    'content-digest',
    'server-timing',
    'x-amz-checksum-crc32',
  ])('lets %s pass', (name) => expect(trailerAllowed(name)).toBe(true));

  it.each([
    'content-length',
    'transfer-encoding',
    'host',
    'connection',
    'trailer',
    'te',
    'upgrade',
    'content-type',
    'content-encoding',
    'content-range',
    'authorization',
    'proxy-authorization',
    'www-authenticate',
    'cookie',
    'set-cookie',
    'location',
    'cache-control',
    'expect',
    'range',
    'if-match',
    'via',
    'forwarded',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-real-ip',
    'x-client-ip',
    'x-original-url',
    'x-rewrite-url',
    'x-http-method-override',
    'x-method-override',
    'x-trace-id',
    'x-auth-token',
    'x-api-key',
    'x-user-id',
    'x_checksum',
    '__proto__',
    'traceparent',
  ])('stops %s', (name) => expect(trailerAllowed(name)).toBe(false));
});

describe('trailers', () => {
  it('are null when none is left', () => {
    expect(requestTrailers(['Host', 'a'])).toBe(null);
    expect(responseTrailers(fields({ host: 'a' }))).toBe(null);
    expect(responseTrailers(null)).toBe(null);
  });

  it('keep repeated fields apart', () => {
    expect(requestTrailers(['X-A', '1', 'x-a', '2', 'X-A', '3'])).toEqual(fields({ 'x-a': ['1', '2', '3'] }));
    expect(responseTrailers(fields({ 'x-a': ['1', '2'] }))).toEqual([
      ['x-a', '1'],
      ['x-a', '2'],
    ]);
  });

  it('of an answer that could split it are left out', () => {
    expect(responseTrailers(fields({ 'x-a': '1\r\nx-b: 2', 'x-c': '3' }))).toEqual([['x-c', '3']]);
  });
});
