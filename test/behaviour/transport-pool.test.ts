/** How many connections one endpoint gets, which is used next, and when they are closed. */
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { createWheel } from '../../src/kernel/wheel.ts';
import type { EndpointTransportOptions } from '../../src/transport/endpoint-transport.ts';
import { createManualClock } from '../kit/clock.ts';
import {
  type Answer,
  createBlackHole,
  createRawOrigin,
  type RawRequest,
  refusingSpec,
} from '../kit/origin.ts';
import { ask, begin, HandBody, leftError, textBody, until } from '../kit/origin-calls.ts';
import { testTransport } from '../kit/origin-transport.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

const served = async (answer: Answer, options: Partial<EndpointTransportOptions> = {}) => {
  const origin = await createRawOrigin(answer);
  const transport = testTransport(origin.spec, options);
  open.push(origin, { close: () => transport.close(0) });
  return { origin, transport };
};

/** An origin that answers only when it is told to. */
const patient = async () => {
  const waiting: RawRequest[] = [];
  const both = await served((request) => waiting.push(request));
  const answerOne = async () => {
    await until(() => waiting.length > 0, 'a request');
    waiting.shift()!.socket.write(OK);
  };
  return { ...both, waiting, answerOne };
};

test('as many connections as calls at once, and no more while those are free again', async () => {
  const { origin, transport, waiting, answerOne } = await patient();
  for (let round = 0; round < 2; round++) {
    const calls = [ask(transport), ask(transport), ask(transport)];
    await until(() => waiting.length === 3, 'three requests');
    expect([transport.connections, transport.inFlight]).toEqual([3, 3]);
    for (const _ of calls) await answerOne();
    expect((await Promise.all(calls)).map((heard) => heard.text)).toEqual(['ok', 'ok', 'ok']);
  }
  expect([origin.accepted, transport.inFlight, transport.connections]).toEqual([3, 0, 3]);
});

test('the connection used last is used next', async () => {
  const { transport, waiting, answerOne } = await patient();
  const both = [ask(transport), ask(transport)];
  await until(() => waiting.length === 2, 'two requests');
  const last = waiting[1]!.socket;
  await answerOne();
  await both[0];
  await answerOne();
  await both[1];
  for (let turn = 0; turn < 3; turn++) {
    const again = ask(transport);
    await until(() => waiting.length === 1, 'the next request');
    expect(waiting[0]!.socket).toBe(last);
    await answerOne();
    await again;
  }
});

test('calls all hear of a port that refuses', async () => {
  const transport = testTransport(await refusingSpec());
  const all = await Promise.all(Array.from({ length: 10 }, () => ask(transport)));
  expect(new Set(all.map((heard) => heard.code))).toEqual(new Set(['GW_CONNECT_REFUSED']));
  await until(() => transport.connections === 0, 'the count to fall');
});

test('idle connections are closed after keepAliveMs, or a second before the origin would', async () => {
  const mine = await served(({ socket }) => socket.write(OK), { keepAliveMs: 60 });
  await ask(mine.transport);
  expect(mine.transport.connections).toBe(1);
  await until(() => mine.transport.connections === 0, 'our time to pass');
  const startMs = systemClock.nowMs();
  const theirs = await served(({ socket }) =>
    socket.write('HTTP/1.1 200 OK\r\nkeep-alive: timeout=2\r\ncontent-length: 2\r\n\r\nok'),
  );
  await ask(theirs.transport);
  await until(() => theirs.transport.connections === 0, 'their time to pass');
  expect(systemClock.nowMs() - startMs).toBeLessThan(1900);
});

test('an idle connection that the origin closes is gone before the next call', async () => {
  const { origin, transport } = await served(({ socket }) => socket.write(OK));
  for (let turn = 0; turn < 3; turn++) {
    expect((await ask(transport)).text).toBe('ok');
    for (const socket of origin.sockets) socket.end();
    await until(() => transport.connections === 0, 'the close to be seen');
  }
  expect(origin.accepted).toBe(3);
});

test('the time of an idle connection that ends just as a call takes it is not held against the call', async () => {
  const clock = createManualClock();
  const wheel = createWheel(clock, 5);
  const { transport } = await served(({ socket }) => socket.write(OK), { clock, wheel, keepAliveMs: 1000 });
  await ask(transport);
  const { heard } = begin(transport);
  // As where a timer sends the call and the wheel turns right behind it.
  clock.advance(2000);
  expect([(await heard.done).text, heard.code]).toEqual(['ok', null]);
});

test('a call that has not been written when its idle connection breaks takes another one', async () => {
  const { origin, transport } = await served(({ socket }) => socket.write(OK));
  await ask(transport);
  const body = new HandBody(2);
  // In the check phase, so that the loop looks at the socket once more before the call is written.
  await new Promise((resolve) => setImmediate(resolve));
  for (const socket of origin.sockets) socket.write('HTTP/1.1 200 OK\r\n\r\n');
  for (const endMs = performance.now() + 10; performance.now() < endMs; );
  const { heard } = begin(transport, { method: 'POST', body });
  const sink = await body.sink;
  sink.write(Buffer.from('ab'));
  sink.end(null);
  expect([(await heard.done).text, heard.code, origin.accepted]).toEqual(['ok', null, 2]);
});

test('a port that answers no SYN fails after connectMs, and can be left while connecting', async () => {
  const hole = await createBlackHole();
  open.push(hole);
  const transport = testTransport(hole.spec);
  const startMs = systemClock.nowMs();
  const heard = await ask(transport, { timeouts: { connectMs: 100 }, deadlineMs: startMs + 5000 });
  expect([heard.error?.code, heard.error?.retry]).toEqual(['GW_CONNECT_TIMEOUT', 'unsent']);
  expect(systemClock.nowMs() - startMs).toBeGreaterThanOrEqual(95);
  expect((await ask(transport, { deadlineMs: systemClock.nowMs() + 50 })).code).toBe('GW_TIMEOUT');
  const left = begin(transport);
  expect(transport.connections).toBeGreaterThan(0);
  left.flight.cancel(leftError);
  await until(() => transport.connections === 0 && transport.inFlight === 0, 'nothing to be left');
  expect(left.heard.endings).toBe(0);
});

test('an upstream that stops reading a request body is given up', async () => {
  const { transport } = await served(({ socket }) => socket.pause());
  const body = new HandBody();
  const { heard } = begin(transport, { method: 'PUT', body, timeouts: { firstByteMs: 100 } });
  const sink = await body.sink;
  const chunk = Buffer.alloc(1 << 20);
  const push = () => {
    while (heard.endings === 0 && sink.write(chunk));
  };
  sink.ready = push;
  push();
  expect((await heard.done).code).toBe('GW_UPSTREAM_TIMEOUT');
  expect(body.cancelled).not.toBe(null);
});

test('nothing gathers on a connection that is used a hundred times with bodies', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const { origin, transport } = await served(({ socket }) => socket.write(OK));
  for (let turn = 0; turn < 50; turn++) {
    // Given at once, and by and by.
    expect((await ask(transport, { method: 'POST', body: textBody('body', 4) })).text).toBe('ok');
    const body = new HandBody(4);
    const { heard } = begin(transport, { method: 'POST', body });
    (await body.sink).write(Buffer.from('body'));
    expect((await heard.done).text).toBe('ok');
  }
  process.off('warning', note);
  expect([warnings, origin.accepted]).toEqual([[], 1]);
});
