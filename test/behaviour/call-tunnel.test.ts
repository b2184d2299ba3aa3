/** Upgrades through an upstream over real connections. */
import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import type { GatewayError } from '../../src/kernel/errors.ts';
import type { ResponseHead } from '../../src/wire/heads.ts';
import type { TunnelReceiver } from '../../src/wire/tunnel.ts';
import { Caller, callOf, headOf, openBench, refusingSpec, startRawOrigin } from '../kit/upstream.ts';

const KEY = Buffer.alloc(16, 7).toString('base64');
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

test('an upgrade passes over an endpoint that refuses connections, and is counted until it ends', async () => {
  const echo = await startRawOrigin((socket) => {
    socket.once('data', () => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${ACCEPT}\r\n\r\n`,
      );
      socket.on('data', (chunk) => socket.end(chunk));
    });
  });
  const bench = openBench([await refusingSpec(), echo.spec]);
  const head = headOf('GET', '/ws');
  Object.assign(head.fields, {
    upgrade: 'websocket',
    connection: 'upgrade',
    'sec-websocket-key': KEY,
    'sec-websocket-version': '13',
  });
  const inFlight = () => bench.upstream.slots.map((slot) => slot.inFlight);

  // The client's end of the tunnel: what it pushes goes up, what comes down is in `down`.
  let down = '';
  const client = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      down += chunk.toString();
      done();
    },
    final(done) {
      client.push(null);
      done();
    },
  });

  const caller = new Caller();
  const ended = Promise.withResolvers<GatewayError | null>();
  const opened = Promise.withResolvers<ResponseHead>();
  const to: TunnelReceiver = {
    open(response, join) {
      join(client, (error) => ended.resolve(error));
      opened.resolve(response);
    },
    refuse: (response) => opened.reject(new Error(`refused with ${response.status}`)),
    fail: opened.reject,
  };
  bench.call.connect(callOf(caller, head), to);
  expect((await opened.promise).status).toBe(101);
  expect(caller.outcomes).toEqual(['GW_CONNECT_REFUSED', 101]);
  expect(inFlight()).toEqual([0, 1]);
  client.push('hello');
  await ended.promise;
  expect(down).toContain('hello');
  expect(inFlight()).toEqual([0, 0]);
  await bench.close();
  await echo.close();
});
