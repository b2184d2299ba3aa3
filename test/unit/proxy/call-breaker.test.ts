/** What a call tells the circuit breaker of its upstream, and when. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BreakerOptions } from '../../../src/config/resilience-options.ts';
import { type GatewayCode, gatewayError } from '../../../src/kernel/errors.ts';
import type { Call } from '../../../src/wire/transport.ts';
import { RecordSink } from '../../kit/proxy.ts';
import { Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { HandBody, openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const BREAKER: BreakerOptions = {
  errorRate: 0.5,
  slowAfterMs: 5000,
  slowRate: 1,
  minimum: 1000,
  windowMs: 60_000,
  openForMs: 5000,
  on: ['connect', 'reset', 'timeout', '5xx'],
};
const GOOD = { calls: 1, failed: 0, slow: 0 };
const FAILED = { calls: 1, failed: 1, slow: 0 };
const NOTHING = { calls: 0, failed: 0, slow: 0 };

// opossum's own timer for the time that it stays open.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const setUp = (breaker: Partial<BreakerOptions> = {}, targets = [specOf('a')]) => {
  const hands = openHands(targets, { on: ['connect', 'reset'] }, undefined, {
    breaker: { ...BREAKER, ...breaker },
  });
  return {
    ...hands,
    breaker: hands.upstream.breaker!,
    begin(change: Partial<Call> = {}, method = change.body === undefined ? 'GET' : 'POST') {
      const caller = new Caller();
      const flight = hands.call.send(callOf(caller, headOf(method), change), caller);
      return { caller, flight, arrival: hands.last() };
    },
    pass(ms: number) {
      hands.clock.advance(ms);
      vi.advanceTimersByTime(ms);
    },
    counts() {
      const { calls, failed, slow } = hands.upstream.breaker!.describe();
      return { calls, failed, slow };
    },
  };
};

test('an answer counts when its body has ended', () => {
  const { begin, counts } = setUp();
  const body = begin().arrival.answer(200);
  expect(counts()).toEqual(NOTHING);
  body.into!.end(null);
  expect(counts()).toEqual(GOOD);
});

test.each([500, 502, 503, 599])('status %i is a failure at its head', (status) => {
  const { begin, counts } = setUp();
  const body = begin().arrival.answer(status);
  expect(counts()).toEqual(FAILED);
  body.into!.end(null);
  expect(counts()).toEqual(FAILED);
});

test.each([400, 404, 429, 499])('status %i is none', (status) => {
  const { begin, counts } = setUp();
  begin().arrival.answer(status).into!.end(null);
  expect(counts()).toEqual(GOOD);
});

test('only what is said to be a failure is one', () => {
  const { begin, counts } = setUp({ on: ['timeout', 503] });
  begin().arrival.answer(500).into!.end(null);
  begin({}, 'POST').arrival.to.fail(gatewayError('GW_UPSTREAM_RESET'));
  expect(counts()).toEqual(GOOD);
  begin().arrival.answer(503);
  begin().arrival.to.fail(gatewayError('GW_UPSTREAM_TIMEOUT'));
  expect(counts()).toEqual({ calls: 3, failed: 2, slow: 0 });
});

test.each<[GatewayCode, typeof GOOD]>([
  ['GW_UPSTREAM_RESET', FAILED],
  ['GW_UPSTREAM_TIMEOUT', FAILED],
  ['GW_UPSTREAM_PROTOCOL', FAILED],
  ['GW_TIMEOUT', FAILED],
  ['GW_INTERNAL', NOTHING],
  ['GW_CONNECTIONS', NOTHING],
  ['GW_QUEUE_TIMEOUT', NOTHING],
  ['GW_BODY_TOO_LARGE', NOTHING],
])('a call that ends by %s without an answer', (code, wanted) => {
  const { begin, counts } = setUp();
  begin({}, 'POST').arrival.to.fail(gatewayError(code));
  expect(counts()).toEqual(wanted);
});

test('a call counts once, after its retries', () => {
  const { begin, counts, last } = setUp({}, [specOf('a'), specOf('b')]);
  begin().arrival.to.fail(gatewayError('GW_CONNECT_REFUSED'));
  expect(counts()).toEqual(NOTHING);
  last().answer(200).into!.end(null);
  expect(counts()).toEqual(GOOD);
});

test('no endpoint to send to is no failure', () => {
  const { call, upstream, counts } = setUp();
  upstream.update([]);
  const caller = new Caller();
  call.send(callOf(caller, headOf('GET')), caller);
  expect(caller.error?.code).toBe('GW_NO_ENDPOINT');
  expect(counts()).toEqual(NOTHING);
});

describe('slowness', () => {
  test('is from the request to the head, the body takes as long as it likes', () => {
    const { begin, counts, clock } = setUp();
    const quick = begin().arrival;
    clock.advance(4999);
    const body = quick.answer(200);
    clock.advance(30_000);
    body.into!.end(null);
    expect(counts()).toEqual(GOOD);
    const slow = begin().arrival;
    clock.advance(5000);
    slow.answer(200).into!.end(null);
    expect(counts()).toEqual({ calls: 2, failed: 0, slow: 1 });
  });

  test('begins when the request has been sent whole', () => {
    const { begin, counts, clock } = setUp();
    const body = new HandBody();
    const { arrival } = begin({ body });
    arrival.call.body!.read(new RecordSink());
    clock.advance(60_000);
    body.into!.end(null);
    clock.advance(4999);
    arrival.answer(200).into!.end(null);
    expect(counts()).toEqual(GOOD);
  });
});

describe('a body that breaks off', () => {
  test('soon after its head is a failure', () => {
    const { begin, counts, clock } = setUp();
    const body = begin().arrival.answer(200);
    clock.advance(4999);
    body.into!.fail(gatewayError('GW_UPSTREAM_CUT'));
    expect(counts()).toEqual(FAILED);
  });

  test('after it has been flowing for long is none', () => {
    const { begin, counts, clock } = setUp();
    const body = begin().arrival.answer(200);
    clock.advance(5000);
    body.into!.fail(gatewayError('GW_UPSTREAM_CUT'));
    expect(counts()).toEqual(GOOD);
  });
});

describe('a client that leaves', () => {
  test('tells nothing while the answer was not late', () => {
    const { begin, counts, clock } = setUp();
    const early = begin();
    clock.advance(4999);
    early.flight.cancel(LEFT);
    const inBody = begin();
    inBody.arrival.answer(200);
    inBody.flight.cancel(LEFT);
    expect(counts()).toEqual(NOTHING);
  });

  test('after waiting in vain is a failure', () => {
    const { begin, counts, clock } = setUp();
    const { flight } = begin();
    clock.advance(5000);
    flight.cancel(LEFT);
    expect(counts()).toEqual(FAILED);
  });

  test('tells nothing while it was still sending, however long that takes', () => {
    const { begin, counts, clock } = setUp();
    const { arrival, flight } = begin({ body: new HandBody() });
    arrival.call.body!.read(new RecordSink());
    clock.advance(60_000);
    flight.cancel(LEFT);
    expect(counts()).toEqual(NOTHING);
  });

  test('of a stream that has been flowing leaves a success behind', () => {
    const { begin, counts, clock } = setUp();
    const { arrival, flight } = begin();
    arrival.answer(200);
    clock.advance(5000);
    flight.cancel(LEFT);
    expect(counts()).toEqual(GOOD);
  });
});

test('the time for the whole request, used up by a slow upload, is no failure of the upstream', () => {
  const { begin, counts } = setUp();
  const { arrival } = begin({ body: new HandBody() });
  arrival.call.body!.read(new RecordSink());
  arrival.to.fail(gatewayError('GW_TIMEOUT'));
  expect(counts()).toEqual(NOTHING);
});

test('an event stream counts once it has been flowing for long, not at its end', () => {
  const { begin, counts, clock } = setUp();
  const body = begin().arrival.answer(200, { 'content-type': 'text/event-stream' });
  clock.advance(4900);
  expect(counts()).toEqual(NOTHING);
  clock.advance(200);
  expect(counts()).toEqual(GOOD);
  body.into!.fail(gatewayError('GW_UPSTREAM_CUT'));
  expect(counts()).toEqual(GOOD);
});

describe('an open breaker', () => {
  const opened = () => {
    const all = setUp({ minimum: 1 });
    all.begin({}, 'POST').arrival.to.fail(gatewayError('GW_UPSTREAM_RESET'));
    expect(all.breaker.phase).toBe('open');
    return all;
  };

  test('refuses at once, with the time to come back, and no attempt is made', () => {
    const { begin, arrivals } = opened();
    const { caller } = begin();
    expect(caller.error).toMatchObject({ code: 'GW_BREAKER_OPEN', retryAfterSeconds: 5 });
    expect(arrivals).toHaveLength(1);
  });

  test('is closed by three whole answers, and refuses others meanwhile', () => {
    const { begin, pass, breaker } = opened();
    pass(5000);
    const bodies = [1, 2, 3].map(() => begin().arrival.answer(200));
    expect(begin().caller.error?.code).toBe('GW_BREAKER_OPEN');
    for (const body of bodies) body.into!.end(null);
    expect(breaker.phase).toBe('closed');
    expect(begin().caller.error).toBeNull();
  });

  test('is closed by long downloads too, once they flow', () => {
    const { begin, pass, clock, breaker } = opened();
    pass(5000);
    for (let n = 0; n < 3; n++) begin().arrival.answer(200);
    clock.advance(5025);
    expect(breaker.phase).toBe('closed');
  });

  test('opens again when a try is hung and its client leaves', () => {
    const { begin, pass, clock, breaker } = opened();
    pass(5000);
    const { flight } = begin();
    clock.advance(5000);
    flight.cancel(LEFT);
    expect(breaker.phase).toBe('open');
  });
});

test('with it switched off or on by a reload, calls under way settle as if nothing had happened', () => {
  const { begin, upstream, counts } = setUp();
  const before = begin().arrival;
  const { breaker: _, ...rest } = upstream.options;
  upstream.update([specOf('a')], rest);
  expect(upstream.breaker).toBeNull();
  const between = begin().arrival;
  before.answer(200).into!.end(null);
  upstream.update([specOf('a')], { ...rest, breaker: BREAKER });
  between.answer(500).into!.end(null);
  expect(counts()).toEqual(NOTHING);
  upstream.update([specOf('a')], { ...rest, breaker: { ...BREAKER } });
  begin().arrival.answer(200).into!.end(null);
  expect(counts()).toEqual(GOOD);
});
