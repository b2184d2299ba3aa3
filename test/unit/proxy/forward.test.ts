import { describe, expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { createWheel } from '../../../src/kernel/wheel.ts';
import { reply } from '../../../src/plugin.ts';
import { type ForwardOptions, forward } from '../../../src/proxy/forward.ts';
import { createManualClock } from '../../kit/clock.ts';
import {
  createExchange,
  type ExchangeOptions,
  fieldsOf,
  HandBody,
  HandTransport,
  RecordSink,
} from '../../kit/proxy.ts';

const setUp = (o: ExchangeOptions = {}, more: Partial<ForwardOptions> = {}) => {
  const clock = createManualClock();
  const upstream = new HandTransport();
  let done = 0;
  const options: ForwardOptions = {
    call: upstream,
    upstreamName: 'orders',
    timeouts: { connectMs: 1000, firstByteMs: 1000, idleMs: 1000 },
    timeoutMs: 30_000,
    maxDurationMs: null,
    wheel: createWheel(clock),
    hash: null,
    hostHeader: 'keep',
    viaName: 'snowgate',
    bodyLimitBytes: 100,
    respond: null,
    attempt: null,
    done: () => done++,
    ...more,
  };
  return { ...createExchange({ clock, ...o }), clock, upstream, options, doneCount: () => done };
};

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the call', () => {
  test('carries what the route and the exchange say', () => {
    const { x, options, upstream, clock } = setUp({}, { hash: () => 7 });
    clock.advance(100);
    forward(x, options);
    const call = upstream.call!;
    expect(call).toMatchObject({ head: x.request, body: null, deadlineMs: 30_000, hash: 7 });
    expect(call.timeouts).toBe(options.timeouts);
    expect(x.attempts).toMatchObject([{ upstream: 'orders', endpoint: '10.0.0.1:8080', startMs: 100 }]);
  });

  test('has the shorter of its two limits, or none', () => {
    const short = setUp({}, { maxDurationMs: 500 });
    forward(short.x, short.options);
    expect(short.upstream.call!.deadlineMs).toBe(500);
    const none = setUp({}, { timeoutMs: 0 });
    forward(none.x, none.options);
    expect(none.upstream.call!.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([
    ['10.0.0.1:8080', '10.0.0.1:8080'],
    ['orders:80', 'orders'],
    ['orders:443', 'orders'],
    ['[::1]:8080', '[::1]:8080'],
  ])('to %s with hostHeader upstream asks for %s', (endpoint, host) => {
    const { x, options, upstream } = setUp({}, { hostHeader: 'upstream' });
    forward(x, options);
    const head = { ...x.request, authority: 'shop.example' };
    upstream.call!.observer!.attempt(head, { upstream: 'orders', endpoint });
    expect(head.authority).toBe(host);
  });

  test('is not made for a client that has left', () => {
    const { x, options, upstream, doneCount } = setUp();
    x.left = true;
    forward(x, options);
    expect(upstream.call).toBeNull();
    expect(doneCount()).toBe(1);
  });

  test('is not made for a body that is declared too large', () => {
    const { x, down, options, upstream } = setUp({ method: 'POST', body: new HandBody(101) });
    forward(x, options);
    expect(upstream.call).toBeNull();
    expect(down.answer!.status).toBe(413);
  });

  test('counts what the client sends, before stages make it smaller or larger', () => {
    const body = new HandBody();
    const { x, options, upstream } = setUp({ method: 'POST', body });
    x.mapRequest((next) => ({
      ready: null,
      write: () => next.write(Buffer.alloc(1)),
      end: (trailers) => next.end(trailers),
      fail: (error) => next.fail(error),
    }));
    forward(x, options);
    const sink = new RecordSink();
    upstream.call!.body!.read(sink);
    expect(body.write('x'.repeat(100))).toBe(true);
    expect(body.write('x')).toBe(false);
    expect(sink.failures.map((error) => error.code)).toEqual(['GW_BODY_TOO_LARGE']);
  });
});

describe('a stage of the request that', () => {
  test.each([
    [
      'cannot be made',
      () => {
        throw new Error('boom');
      },
    ],
    [
      'throws',
      () => ({
        ready: null,
        write() {
          throw new Error('boom');
        },
        end() {},
        fail() {},
      }),
    ],
  ])('%s fails the upload and stops the client’s body', (_what, stage) => {
    const body = new HandBody();
    const { x, options, upstream } = setUp({ method: 'POST', body });
    x.mapRequest(stage);
    forward(x, options);
    const sink = new RecordSink();
    upstream.call!.body!.read(sink);
    expect(body.write('x')).toBe(false);
    expect(sink.failures.map((error) => error.code)).toEqual(['GW_PLUGIN']);
    expect(body.cancelled?.code).toBe('GW_PLUGIN');
  });
});

describe('the answer', () => {
  test('passes untouched but for the connection’s fields', () => {
    const { x, down, options, upstream, clock, doneCount } = setUp();
    clock.advance(2);
    forward(x, options);
    clock.advance(5);
    const body = new HandBody(2);
    upstream.call!.observer!.attempted(404, null);
    upstream.to!.head(
      {
        status: 404,
        fields: fieldsOf({
          connection: 'x-hop',
          'x-hop': '1',
          'keep-alive': 'timeout=5',
          'content-length': '2',
          'set-cookie': ['a=1', 'b=2'],
        }),
      },
      body,
    );
    expect({ ...down.answer!.fields }).toEqual({
      'content-length': '2',
      'set-cookie': ['a=1', 'b=2'],
      via: '1.1 snowgate',
      'x-trace-id': x.id,
    });
    expect(x).toMatchObject({ headMs: 7, upstreamMs: 5, status: 404, error: null });
    expect(x.attempts).toMatchObject([{ tookMs: 5, status: 404, code: '-' }]);
    expect(doneCount()).toBe(0);
    body.write('no');
    body.sink!.end(null);
    expect(down.sink).toMatchObject({ text: 'no', ended: 1 });
    expect(doneCount()).toBe(1);
  });

  test('passes 103, and keeps 100 and 101 to itself', () => {
    const { x, down, options, upstream } = setUp();
    forward(x, options);
    upstream.to!.inform(100, fieldsOf());
    upstream.to!.inform(101, fieldsOf());
    upstream.to!.inform(103, fieldsOf({ link: '</a.css>; rel=preload' }));
    expect(down.informs).toMatchObject([{ status: 103, fields: { link: '</a.css>; rel=preload' } }]);
  });

  test('of 101 without an upgrade is a fault of the upstream', () => {
    const { x, down, options, upstream } = setUp();
    forward(x, options);
    const body = new HandBody();
    upstream.to!.head({ status: 101, fields: fieldsOf() }, body);
    expect(down.answer!.status).toBe(502);
    expect(x.error?.code).toBe('GW_UPSTREAM_PROTOCOL');
    expect(body.cancelled?.code).toBe('GW_UPSTREAM_PROTOCOL');
  });

  test('of a failed call is the gateway’s own', () => {
    const { x, down, options, upstream, doneCount } = setUp();
    forward(x, options);
    upstream.call!.observer!.attempted(0, gatewayError('GW_UPSTREAM_TIMEOUT'));
    upstream.to!.fail(gatewayError('GW_UPSTREAM_TIMEOUT'));
    expect(down.answer!.status).toBe(504);
    expect(x.attempts).toMatchObject([{ status: 0, code: 'GW_UPSTREAM_TIMEOUT' }]);
    expect(doneCount()).toBe(1);
  });
});

describe('the client leaving', () => {
  test('before the head ends the flight and is answered by nothing', () => {
    const { x, down, options, upstream, doneCount } = setUp();
    forward(x, options);
    const { signal } = x;
    down.left!();
    expect(upstream.cancelled.map((error) => error.code)).toEqual(['GW_CLIENT_LEFT']);
    expect(signal.aborted).toBe(true);
    expect(x).toMatchObject({ left: true, status: 0 });
    expect(x.attempts).toMatchObject([{ code: 'GW_CLIENT_LEFT' }]);
    upstream.to!.fail(gatewayError('GW_UPSTREAM_RESET'));
    expect(down.answer).toBeNull();
    expect(x.error?.code).toBe('GW_CLIENT_LEFT');
    expect(doneCount()).toBe(1);
  });

  test('in the middle of the answer stops its body', () => {
    const { x, down, options, upstream, doneCount } = setUp();
    forward(x, options);
    const body = new HandBody();
    upstream.to!.head({ status: 200, fields: fieldsOf() }, body);
    down.left!();
    expect(upstream.cancelled).toHaveLength(1);
    expect(body.cancelled?.code).toBe('GW_CLIENT_LEFT');
    expect(doneCount()).toBe(1);
  });

  test('while a hook is awaited frees the upstream’s body', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { x, down, options, upstream, doneCount } = setUp({}, { respond: () => promise });
    forward(x, options);
    const body = new HandBody();
    upstream.to!.head({ status: 200, fields: fieldsOf() }, body);
    down.left!();
    resolve(undefined);
    await settled();
    expect(body.cancelled?.code).toBe('GW_CLIENT_LEFT');
    expect(down.answer).toBeNull();
    expect(doneCount()).toBe(1);
  });
});

describe('response hooks', () => {
  test('change the head, at once or later', async () => {
    for (const later of [false, true]) {
      const { x, down, options, upstream } = setUp(
        {},
        {
          respond: (_x, given) => {
            given.fields.server = 'mine';
            return later ? Promise.resolve(given) : given;
          },
        },
      );
      forward(x, options);
      upstream.to!.head({ status: 200, fields: fieldsOf({ server: 'theirs' }) }, new HandBody());
      if (later) await settled();
      expect(down.answer!.fields.server).toBe('mine');
    }
  });

  test('that give another answer free the upstream’s body', () => {
    const { x, down, options, upstream } = setUp({}, { respond: () => reply(418, {}, 'teapot') });
    forward(x, options);
    const body = new HandBody(100);
    upstream.to!.head({ status: 200, fields: fieldsOf({ 'content-length': '100' }) }, body);
    expect(body.cancelled?.code).toBe('GW_PLUGIN');
    expect(down.answer!.status).toBe(418);
    expect(down.sink.text).toBe('teapot');
    expect(down.answer!.fields['content-length']).toBeUndefined();
  });

  test('see failures, and may answer in their place', () => {
    const { x, down, options, upstream } = setUp(
      {},
      { respond: (_x, given) => (given.error === null ? undefined : reply(200, {}, 'fallback')) },
    );
    forward(x, options);
    upstream.to!.fail(gatewayError('GW_NO_ENDPOINT'));
    expect(down.answer!.status).toBe(200);
    expect(x.error?.code).toBe('GW_NO_ENDPOINT');
  });

  test.each([
    [
      'throw',
      () => {
        throw new Error('boom');
      },
    ],
    ['reject', () => Promise.reject(new Error('boom'))],
  ])('that %s are a 500 and free the upstream’s body', async (_how, respond) => {
    const { x, down, options, upstream, doneCount } = setUp({}, { respond });
    forward(x, options);
    const body = new HandBody();
    upstream.to!.head({ status: 200, fields: fieldsOf() }, body);
    await settled();
    expect(down.answer!.status).toBe(500);
    expect(JSON.parse(down.sink.text).code).toBe('GW_PLUGIN');
    expect(body.cancelled?.code).toBe('GW_PLUGIN');
    expect(x.error?.detail).toBe('boom');
    expect(doneCount()).toBe(1);
  });
});

test('an attempt hook changes the head of its try', () => {
  const { x, options, upstream } = setUp(
    {},
    {
      attempt: (_x, head, to) => {
        head.fields['x-to'] = to.endpoint;
      },
    },
  );
  forward(x, options);
  expect(upstream.call!.head.fields['x-to']).toBe('10.0.0.1:8080');
});

test('an attempt hook that throws ends the flight and is a 500', () => {
  const { x, down, options, upstream, doneCount } = setUp(
    {},
    {
      attempt: () => {
        throw new Error('boom');
      },
    },
  );
  forward(x, options);
  expect(upstream.cancelled.map((error) => error.code)).toEqual(['GW_PLUGIN']);
  expect(upstream.call!.head.path, 'unfit to be sent').toBe('');
  expect(down.answer!.status).toBe(500);
  expect(doneCount()).toBe(1);
  upstream.to!.fail(gatewayError('GW_UPSTREAM_RESET'));
  expect(x.error?.code).toBe('GW_PLUGIN');
});

describe('an upgrade', () => {
  const open = (fields = {}) => ({ status: 101, fields: fieldsOf(fields) });

  test('is accepted with the upstream’s own handshake fields and joined', () => {
    const { x, down, options, upstream, doneCount } = setUp({ upgrade: true });
    forward(x, options);
    let ended: ((error: null) => void) | null = null;
    upstream.tunnel!.open(open({ upgrade: 'websocket', 'sec-websocket-accept': 'abc' }), (client, over) => {
      expect(client).toBe(down.client);
      ended = over;
    });
    expect({ ...down.accepted!.fields }).toEqual({
      'sec-websocket-accept': 'abc',
      'x-trace-id': x.id,
      via: '1.1 snowgate',
    });
    expect(x.status).toBe(101);
    expect(doneCount()).toBe(0);
    ended!(null);
    ended!(null);
    expect(doneCount()).toBe(1);
    expect(x.error).toBeNull();
  });

  test('that the upstream refuses passes as an ordinary answer', () => {
    const { x, down, options, upstream } = setUp({ upgrade: true });
    forward(x, options);
    const body = new HandBody();
    upstream.tunnel!.refuse({ status: 403, fields: fieldsOf() }, body);
    body.write('no');
    body.sink!.end(null);
    expect(down.answer!.status).toBe(403);
    expect(down.sink.text).toBe('no');
  });

  test('that a hook refuses ends the upstream’s side', () => {
    const { x, down, options, upstream } = setUp({ upgrade: true }, { respond: () => reply(403) });
    forward(x, options);
    upstream.tunnel!.open(open(), () => expect.unreachable());
    expect(upstream.cancelled.map((error) => error.code)).toEqual(['GW_PLUGIN']);
    expect(down.accepted).toBeNull();
    expect(down.answer!.status).toBe(403);
  });

  test('ends when its time is over', () => {
    const { x, down, options, upstream, clock, doneCount } = setUp(
      { upgrade: true },
      { maxDurationMs: 1000 },
    );
    forward(x, options);
    upstream.tunnel!.open(open(), () => {});
    clock.advance(1100);
    expect(upstream.cancelled.map((error) => error.code)).toEqual(['GW_TIMEOUT']);
    expect(down.client!.destroyed).toBe(true);
    expect(x.error?.code).toBe('GW_TIMEOUT');
    expect(doneCount()).toBe(1);
  });

  test('that fails is the gateway’s answer', () => {
    const { x, down, options, upstream } = setUp({ upgrade: true });
    forward(x, options);
    upstream.tunnel!.fail(gatewayError('GW_UPGRADE_FAILED'));
    expect(down.answer!.status).toBe(502);
  });
});
