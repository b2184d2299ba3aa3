/** Calls over real connections: what is tried again, where, and what never is. */
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { endpointName } from '../../src/wire/endpoint.ts';
import {
  type Bench,
  bodyOf,
  Caller,
  ChunkBody,
  callOf,
  headOf,
  LEFT,
  type Origin,
  openBench,
  refusingSpec,
  send,
  startOrigin,
  startRawOrigin,
} from '../kit/upstream.ts';

const open: { close(): Promise<void> }[] = [];
const keep = <T extends Origin | Bench>(thing: T): T => {
  open.push(thing);
  return thing;
};
afterEach(async () => {
  // The bench before its origins.
  for (const thing of open.splice(0).reverse()) await thing.close();
});

const inFlight = (bench: Bench) => bench.upstream.slots.map((slot) => slot.inFlight);
const ok = () => startOrigin((_, response) => response.end('ok'));
/** Takes each request whole and then cuts the connection without an answer. */
const resetting = () => startOrigin((request) => request.socket.resetAndDestroy());

test('calls go round the endpoints by weight', async () => {
  const [a, b] = [keep(await startOrigin(undefined, 3)), keep(await startOrigin(undefined, 1))];
  const bench = keep(openBench([a.spec, b.spec]));
  for (let n = 0; n < 8; n++)
    expect(await send(bench.call, headOf('GET'))).toMatchObject({ status: 200, body: 'ok' });
  expect([a.seen.length, b.seen.length]).toEqual([6, 2]);
  expect(inFlight(bench)).toEqual([0, 0]);
});

describe('an endpoint that refuses connections', () => {
  test.each(['GET', 'POST'])('is passed over within the same %s request', async (method) => {
    const dead = await refusingSpec();
    const alive = keep(await ok());
    const bench = keep(openBench([dead, alive.spec]));
    const body = method === 'POST' ? bodyOf('hel', 'lo') : null;
    const caller = await send(bench.call, headOf(method), { body });
    expect(caller).toMatchObject({ status: 200, error: null });
    expect(caller.attempts).toEqual([endpointName(dead), endpointName(alive.spec)]);
    expect(caller.outcomes).toEqual(['GW_CONNECT_REFUSED', 200]);
    expect(alive.seen).toEqual([method === 'POST' ? 'POST / hello' : 'GET /']);
    expect(bench.upstream.slots[0]!.available).toBe(false);
    expect(inFlight(bench)).toEqual([0, 0]);
  });

  test('is not asked again for a while', async () => {
    const alive = keep(await ok());
    const bench = keep(openBench([await refusingSpec(), alive.spec]));
    const attempts = [];
    for (let n = 0; n < 10; n++) attempts.push((await send(bench.call, headOf('GET'))).attempts.length);
    expect(attempts).toEqual([2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('is passed over even with one attempt only, and one more past two', async () => {
    const alive = keep(await ok());
    const one = keep(openBench([await refusingSpec(), alive.spec], { attempts: 1 }));
    expect((await send(one.call, headOf('POST'))).status).toBe(200);
    const three = keep(openBench([await refusingSpec(), await refusingSpec(), alive.spec], { attempts: 2 }));
    const caller = await send(three.call, headOf('GET'));
    expect([caller.status, caller.attempts.length]).toEqual([200, 3]);
  });

  test('is not passed over when the configuration does not list connect', async () => {
    const alive = keep(await ok());
    const bench = keep(openBench([await refusingSpec(), alive.spec], { on: ['reset'] }));
    expect((await send(bench.call, headOf('GET'))).error?.code).toBe('GW_CONNECT_REFUSED');
  });

  test('when all refuse, the call fails soon and attempts stay near the number of requests', async () => {
    const bench = keep(openBench([await refusingSpec(), await refusingSpec(), await refusingSpec()]));
    let attempts = 0;
    for (let n = 0; n < 100; n++) {
      const caller = await send(bench.call, headOf('GET'));
      expect(caller.error?.code).toBe('GW_CONNECT_REFUSED');
      attempts += caller.attempts.length;
    }
    expect(attempts).toBeLessThanOrEqual(125);
    expect(inFlight(bench)).toEqual([0, 0, 0]);
  });
});

describe('a connection that breaks before the answer', () => {
  test.each(['GET', 'PUT', 'DELETE'])(
    '%s is tried at another endpoint, with its whole body',
    async (method) => {
      const [a, b] = [keep(await resetting()), keep(await ok())];
      const bench = keep(openBench([a.spec, b.spec]));
      const body = method === 'GET' ? null : bodyOf('hel', 'lo');
      const caller = await send(bench.call, headOf(method), { body });
      expect(caller.outcomes).toEqual(['GW_UPSTREAM_RESET', 200]);
      expect(b.seen).toEqual(a.seen);
      expect(inFlight(bench)).toEqual([0, 0]);
    },
  );

  test('POST is not', async () => {
    const [a, b] = [keep(await resetting()), keep(await ok())];
    const bench = keep(openBench([a.spec, b.spec]));
    const body = bodyOf('hello');
    const caller = await send(bench.call, headOf('POST'), { body });
    expect(caller.error?.code).toBe('GW_UPSTREAM_RESET');
    expect(b.seen).toEqual([]);
    expect(inFlight(bench)).toEqual([0, 0]);
  });

  test('a body past the bound is not sent twice', async () => {
    const [a, b] = [keep(await resetting()), keep(await ok())];
    const bench = keep(openBench([a.spec, b.spec]));
    const chunks = Array.from({ length: 8 }, () => Buffer.alloc(10_000, 1));
    const caller = await send(bench.call, headOf('PUT'), { body: new ChunkBody(chunks) });
    expect(caller.error?.code).toBe('GW_UPSTREAM_RESET');
    expect([a.seen, b.seen]).toEqual([['PUT / 80000'], []]);
  });

  test('with one endpoint the same is tried again after a pause', async () => {
    let count = 0;
    const origin = keep(
      await startOrigin((request, response) => {
        if (count++ === 0) request.socket.resetAndDestroy();
        else response.end('second');
      }),
    );
    const bench = keep(openBench([origin.spec]));
    expect(await send(bench.call, headOf('GET'))).toMatchObject({ status: 200, body: 'second' });
    expect(inFlight(bench)).toEqual([0]);
  });

  test('an idle connection that closes as it is used costs nothing, not even a POST', async () => {
    // Answers one request on each connection and cuts it at the next.
    const origin = keep(
      await startRawOrigin((socket, number) => {
        let requests = 0;
        socket.on('data', (chunk) => {
          if (!chunk.toString().startsWith('GET') && !chunk.toString().startsWith('POST')) return;
          if (requests++ > 0) socket.resetAndDestroy();
          else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${number}`);
        });
      }),
    );
    const bench = keep(openBench([origin.spec], { attempts: 1 }));
    expect((await send(bench.call, headOf('GET'))).body).toBe('0');
    const caller = await send(bench.call, headOf('POST'), { body: bodyOf('x') });
    expect(caller.outcomes).toEqual(['GW_UPSTREAM_STALE', 200]);
    expect(caller.body).toBe('1');
  });
});

describe('a listed status', () => {
  const busy = () =>
    startOrigin((_, response) => {
      response.statusCode = 503;
      response.end('busy');
    });

  test('is tried at another endpoint and the first answer is never seen', async () => {
    const [a, b] = [keep(await busy()), keep(await ok())];
    const bench = keep(openBench([a.spec, b.spec]));
    const caller = await send(bench.call, headOf('PUT'), { body: bodyOf('hello') });
    expect(caller).toMatchObject({ status: 200, body: 'ok' });
    expect(caller.outcomes).toEqual([503, 200]);
    expect(b.seen).toEqual(['PUT / hello']);
    await expect.poll(() => inFlight(bench)).toEqual([0, 0]);
    // Its connection serves on.
    expect(bench.upstream.slots[0]!.transport.connections).toBe(1);
  });

  test('is passed on when all say so, and to a POST at once', async () => {
    const [a, b] = [keep(await busy()), keep(await busy())];
    const bench = keep(openBench([a.spec, b.spec]));
    expect(await send(bench.call, headOf('GET'))).toMatchObject({ status: 503, body: 'busy' });
    expect((await send(bench.call, headOf('POST'))).outcomes).toEqual([503]);
    await expect.poll(() => inFlight(bench)).toEqual([0, 0]);
  });
});

test('an answer cut in the middle is not tried again and does not look whole', async () => {
  const cut = keep(
    await startRawOrigin((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', () => socket.destroy());
      });
    }),
  );
  const other = keep(await ok());
  const bench = keep(openBench([cut.spec, other.spec]));
  const caller = await send(bench.call, headOf('GET'));
  expect(caller).toMatchObject({ status: 200, body: 'half' });
  expect(caller.error?.code).toBe('GW_UPSTREAM_CUT');
  expect(other.seen).toEqual([]);
  expect(inFlight(bench)).toEqual([0, 0]);
});

test('an interim answer is passed on', async () => {
  const origin = keep(
    await startOrigin((_, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.end('ok');
    }),
  );
  const bench = keep(openBench([origin.spec]));
  expect(await send(bench.call, headOf('GET'))).toMatchObject({ status: 200, informed: [103] });
});

test('a call cancelled while it waits for its head frees the slot and the connection', async () => {
  let arrived: () => void = () => {};
  const waiting = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  let closed = false;
  const origin = keep(
    await startRawOrigin((socket) => {
      socket.on('data', () => arrived());
      socket.on('close', () => {
        closed = true;
      });
    }),
  );
  const bench = keep(openBench([origin.spec]));
  const caller = new Caller();
  const flight = bench.call.send(callOf(caller, headOf('GET')), caller);
  await waiting;
  expect(inFlight(bench)).toEqual([1]);
  flight.cancel(LEFT);
  flight.cancel(LEFT);
  expect(inFlight(bench)).toEqual([0]);
  await expect.poll(() => closed).toBe(true);
  expect(caller).toMatchObject({ status: 0, error: null, outcomes: ['GW_CLIENT_LEFT'] });
});

test('a call cancelled in the middle of a body frees the slot and the connection', async () => {
  let closed = false;
  const origin = keep(
    await startOrigin((request, response) => {
      request.socket.on('close', () => {
        closed = true;
      });
      response.write('begun');
    }),
  );
  const bench = keep(openBench([origin.spec]));
  const caller = new Caller();
  const flight = bench.call.send(callOf(caller, headOf('GET')), caller);
  await expect.poll(() => caller.body).toBe('begun');
  expect(inFlight(bench)).toEqual([1]);
  flight.cancel(LEFT);
  expect(inFlight(bench)).toEqual([0]);
  await expect.poll(() => closed).toBe(true);
});

test('the deadline bounds all attempts together', async () => {
  const silent = keep(await startRawOrigin((socket) => socket.resume()));
  const bench = keep(openBench([silent.spec, await refusingSpec()], { on: ['connect', 'timeout'] }));
  const startMs = systemClock.nowMs();
  const caller = await send(bench.call, headOf('GET'), { deadlineMs: startMs + 200 });
  expect(caller.error?.code).toBe('GW_TIMEOUT');
  expect(systemClock.nowMs() - startMs).toBeLessThan(1000);
  expect(inFlight(bench)).toEqual([0, 0]);
});

test('an endpoint that is taken away finishes what it has begun', async () => {
  let finish: () => void = () => {};
  const old = keep(
    await startOrigin((_, response) => {
      response.write('slow');
      finish = () => response.end(' end');
    }),
  );
  const fresh = keep(await ok());
  const bench = keep(openBench([old.spec]));
  const caller = new Caller();
  bench.call.send(callOf(caller, headOf('GET')), caller);
  await expect.poll(() => caller.body).toBe('slow');
  bench.upstream.update([fresh.spec]);
  expect(await send(bench.call, headOf('GET'))).toMatchObject({ status: 200, body: 'ok' });
  finish();
  expect(await caller.ended).toMatchObject({ body: 'slow end', error: null });
});

test('after close nothing is taken any more', async () => {
  const origin = keep(await ok());
  const bench = openBench([origin.spec]);
  await bench.close();
  expect((await send(bench.call, headOf('GET'))).error?.code).toBe('GW_NO_ENDPOINT');
});
