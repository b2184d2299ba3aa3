/** What the log tells of a request that ended early: whose fault it was, and where to read on. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { RawClient } from '../kit/raw.ts';

test('a client that leaves is told apart from one that was sent a status, and who it waited for', async () => {
  const origin = await startOrigin((request, response) => {
    if (request.url === '/flows') response.writeHead(200).write('a beginning');
    else {
      // The client goes as soon as the upstream has its request, and long after it came.
      setTimeout(() => socket.destroy(), 60);
    }
  });
  const gateway = await startTestGateway(`routes: [{ path: /**, upstream: "${origin.url}" }]\n`);
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write('GET /silent HTTP/1.1\r\nhost: a\r\n\r\n');
  const silent = await gateway.line(({ path }) => path === '/silent');
  expect(silent).toMatchObject({ status: 499, code: 'GW_CLIENT_LEFT', closing: 'left', outBytes: 0 });
  expect(silent.upstreamMs).toBeGreaterThan(50);
  expect(silent).not.toHaveProperty('gatewayMs');

  const reader = connect(gateway.port, '127.0.0.1').once('data', () => reader.destroy());
  reader.write('GET /flows HTTP/1.1\r\nhost: a\r\n\r\n');
  expect(await gateway.line(({ path }) => path === '/flows')).toMatchObject({
    status: 200,
    code: 'GW_CLIENT_LEFT',
    closing: 'left',
    outBytes: 11,
  });
});

test('the error of a plugin is in the log under the trace ID that the client was given', async () => {
  const gateway = await startTestGateway('routes: [{ path: /**, plugins: { boom: {} } }]\n', {
    'plugins/boom.ts': `
      import { definePlugin, z } from 'snowgate/plugin';
      export default definePlugin({
        name: 'boom',
        summary: 'Fails.',
        config: z.strictObject({}),
        setup: () => ({ request: () => { throw new Error('boom at work'); } }),
      });`,
  });
  const answer = await gateway.ask('/');
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'GW_PLUGIN', traceId: expect.any(String) });
  expect(await gateway.logged('a hook failed')).toMatchObject({
    traceId: JSON.parse(answer.body).traceId,
    phase: 'request',
  });
});

test.each([
  ['a malformed request', 'GET / HTTP/1.1\r\nhost: a\r\nbad header: 1\r\n\r\n', 'GW_BAD_REQUEST'],
  ['two Hosts', 'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n', 'GW_BAD_HOST'],
  ['a huge head', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`, 'GW_HEADERS_TOO_LARGE'],
  [
    'a malformed chunk',
    'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'GW_BAD_REQUEST',
  ],
])('%s is answered with the trace ID under which the log has it', async (_what, bytes, code) => {
  // It waits for the body, so that the connection is the first to have an answer.
  const origin = await startOrigin((request) => void request.resume());
  const gateway = await startTestGateway(`routes: [{ path: /**, upstream: "${origin.url}" }]\n`);
  const client = new RawClient(gateway.port).send(bytes);
  const answer = await client.answer();
  const body = JSON.parse(answer.body);
  expect(body).toMatchObject({ code, traceId: expect.stringMatching(/^\d{10,19}$/) });
  expect(answer.fields['x-trace-id']).toBe(body.traceId);
  expect(await gateway.line((line) => line.traceId === body.traceId)).toMatchObject({ code });
});
