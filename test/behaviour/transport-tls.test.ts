/** TLS to upstreams: whom to trust, what to show, and the verdict when it fails. */
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { UpstreamTls } from '../../src/transport/connector.ts';
import { createFixedOrigin, createRawOrigin, specOf } from '../kit/origin.ts';
import { ask } from '../kit/origin-calls.ts';
import { certificates } from '../kit/origin-tls.ts';
import { testTransport } from '../kit/origin-transport.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

const trust = (over: Partial<UpstreamTls> = {}): UpstreamTls => ({
  ca: certificates().ca,
  cert: null,
  key: null,
  serverName: null,
  verify: true,
  ...over,
});

const secure = async (pem: { cert: string; key: string }, more: object = {}) => {
  const origin = await createRawOrigin(({ socket }) => socket.write(OK), { ...pem, ...more });
  open.push(origin);
  return origin;
};

test('calls of different hosts share one connection to a trusted upstream', async () => {
  const origin = await secure(certificates().server);
  const transport = testTransport(origin.spec, { tls: trust() });
  for (const authority of ['a.example', 'b.example', '10.0.0.1:8443']) {
    expect((await ask(transport, { authority })).text).toBe('ok');
  }
  expect(origin.accepted).toBe(1);
});

test.each([
  ['an authority nobody trusts', 'server', { ca: null }, 'GW_TLS_CERTIFICATE'],
  ['a certificate of another name', 'other', {}, 'GW_TLS_CERTIFICATE'],
  ['the name that was asked for', 'other', { serverName: 'other.example' }, null],
  ['no name that fits, unchecked', 'other', { verify: false, ca: null }, null],
] as const)('an upstream with %s', async (_what, pem, over, code) => {
  const origin = await secure(certificates()[pem]);
  const heard = await ask(testTransport(origin.spec, { tls: trust(over) }));
  expect(heard.code).toBe(code);
  if (code !== null) expect(heard.error?.retry).toBe('unsent');
});

test('a client certificate is shown where it is asked for', async () => {
  const { ca, client, server } = certificates();
  const origin = await secure(server, { ca, requestCert: true, rejectUnauthorized: true });
  expect((await ask(testTransport(origin.spec, { tls: trust(client) }))).text).toBe('ok');
  expect((await ask(testTransport(origin.spec, { tls: trust() }))).code).toMatch(/^GW_(TLS|UPSTREAM_RESET)$/);
});

test('an upstream that speaks no TLS is a failure of TLS, one that says nothing a timeout of connecting', async () => {
  const plain = await createFixedOrigin(OK);
  const chatty = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  );
  open.push(plain, chatty);
  await new Promise((resolve) => chatty.once('listening', resolve));
  const { port } = chatty.address() as { port: number };
  expect((await ask(testTransport(specOf(port, 'https'), { tls: trust() }))).code).toBe('GW_TLS');
  const silent = testTransport({ ...plain.spec, scheme: 'https' }, { tls: trust() });
  expect((await ask(silent, { timeouts: { connectMs: 80 } })).code).toBe('GW_CONNECT_TIMEOUT');
});

test('a certificate that is no PEM is told when the transport is made', () => {
  expect(() =>
    testTransport(specOf(1, 'https'), { tls: trust({ ca: null, cert: 'x', key: 'y' }) }),
  ).toThrow();
});
