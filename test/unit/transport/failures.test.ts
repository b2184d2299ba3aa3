import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { connectFailure, requestFailure } from '../../../src/transport/failures.ts';

test('the detail is one line that names the code once', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:81'), { code: 'ECONNREFUSED' });
  expect(connectFailure(refused, new Socket()).detail).toBe('connect ECONNREFUSED 127.0.0.1:81');
  const tls = Object.assign(new Error('C0:error:0A:SSL routines\n  alert\n'), { code: 'ECONNRESET' });
  expect(connectFailure(tls, new Socket()).detail).toBe('ECONNRESET C0:error:0A:SSL routines alert');
});

const coded = (code: string) => Object.assign(new Error('it broke'), { code });

test.each([
  ['ENOTFOUND', 'GW_DNS'],
  ['EAI_AGAIN', 'GW_DNS'],
  ['ECONNREFUSED', 'GW_CONNECT_REFUSED'],
  ['EHOSTUNREACH', 'GW_CONNECT_REFUSED'],
  ['ENETUNREACH', 'GW_CONNECT_REFUSED'],
  ['ETIMEDOUT', 'GW_CONNECT_TIMEOUT'],
  ['EMFILE', 'GW_CONNECTIONS'],
  ['EADDRNOTAVAIL', 'GW_CONNECTIONS'],
])('%s while connecting is %s', (code, expected) => {
  const error = connectFailure(coded(code), new Socket());
  expect([error.code, error.detail]).toEqual([expected, `${code} it broke`]);
});

test.each([
  ['a reset on a fresh connection', coded('ECONNRESET'), false, false, false, 'GW_UPSTREAM_RESET'],
  ['a reset on a reused connection', coded('ECONNRESET'), true, false, false, 'GW_UPSTREAM_STALE'],
  ['a reset after the first byte', coded('ECONNRESET'), true, true, false, 'GW_UPSTREAM_RESET'],
  ['a reset after the head', coded('ECONNRESET'), true, true, true, 'GW_UPSTREAM_CUT'],
  [
    'an alert on a fresh connection',
    coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    false,
    false,
    false,
    'GW_TLS',
  ],
  ['an orderly end after the head', null, false, true, true, 'GW_UPSTREAM_CUT'],
  ['an orderly end on a reused connection', null, true, false, false, 'GW_UPSTREAM_STALE'],
  ['a large head of an upgrade', coded('HPE_HEADER_OVERFLOW'), false, true, false, 'GW_UPSTREAM_HEADERS'],
  ['an upgrade that is no HTTP', coded('HPE_INVALID_CONSTANT'), false, true, false, 'GW_UPSTREAM_PROTOCOL'],
  ['an upgrade that is too short', coded('HPE_INVALID_EOF_STATE'), false, true, false, 'GW_UPSTREAM_RESET'],
  ['something that is no error', 'text', false, false, false, 'GW_INTERNAL'],
  ['an exception of our own', new TypeError('x is undefined'), true, true, true, 'GW_INTERNAL'],
  [
    'an error with its own verdict',
    gatewayError('GW_BODY_TOO_LARGE'),
    false,
    true,
    true,
    'GW_BODY_TOO_LARGE',
  ],
] as const)('%s is %5$s', (_what, error, reused, answered, headed, expected) => {
  expect(requestFailure(error, { reused, answered, headed }).code).toBe(expected);
});
