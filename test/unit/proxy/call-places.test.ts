/** Caps and the queue in front of them: who gets a place, who waits, who is turned away. */
import { describe, expect, test } from 'vitest';
import type { ConcurrencyOptions } from '../../../src/config/resilience-options.ts';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { createFields } from '../../../src/wire/fields.ts';
import type { Call } from '../../../src/wire/transport.ts';
import { Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const CAPS: ConcurrencyOptions = {
  endpoint: 1,
  upstream: null,
  adaptive: null,
  streams: 10,
  queue: 2,
  queueTimeoutMs: 1000,
};
const EVENTS = Object.assign(createFields(), { 'content-type': 'text/event-stream' });
const one = [specOf('a')];
const two = [specOf('a'), specOf('b')];

const setUp = (caps: Partial<ConcurrencyOptions> = {}, targets = one) => {
  const hands = openHands(targets, { on: ['connect', 'reset'] }, undefined, {
    concurrency: { ...CAPS, ...caps },
  });
  return {
    ...hands,
    begin(change: Partial<Call> = {}) {
      const caller = new Caller();
      const flight = hands.call.send(callOf(caller, headOf('GET'), change), caller);
      return { caller, flight };
    },
    waiting: () => hands.upstream.places.waiting,
    /** Lets those sit down for whom a place is free. */
    seating: () => new Promise<void>((resolve) => queueMicrotask(resolve)),
  };
};

test('a full endpoint is passed over, and with all full the next call waits for the first that is free', async () => {
  const { begin, arrivals, waiting, seating } = setUp({}, two);
  begin();
  begin();
  const { caller } = begin();
  expect([arrivals.map(({ host }) => host), waiting()]).toEqual([['a', 'b'], 1]);
  arrivals[1]!.answer(200).into!.end(null);
  // Not within the end of another answer.
  expect(arrivals).toHaveLength(2);
  await seating();
  expect([arrivals.map(({ host }) => host), waiting()]).toEqual([['a', 'b', 'b'], 0]);
  arrivals[2]!.answer(200).into!.end(null);
  expect(caller.status).toBe(200);
});

test('those who wait are served in order, and nobody passes them', async () => {
  const { begin, arrivals, seating } = setUp();
  begin();
  const second = begin();
  arrivals[0]!.answer(200).into!.end(null);
  const third = begin();
  await seating();
  expect([second.caller.attempts.length, third.caller.attempts.length]).toEqual([1, 0]);
  arrivals[1]!.answer(200).into!.end(null);
  await seating();
  expect(third.caller.attempts).toHaveLength(1);
});

test('a full queue refuses at once, a slow one after its time, both with Retry-After', () => {
  const { begin, clock, arrivals, waiting } = setUp();
  begin();
  const waits = begin();
  begin();
  const refused = begin();
  expect(refused.caller.error).toMatchObject({ code: 'GW_QUEUE_FULL', status: 503, retryAfterSeconds: 1 });
  clock.advance(999);
  expect(waits.caller.error).toBeNull();
  clock.advance(1);
  expect(waits.caller.error).toMatchObject({ code: 'GW_QUEUE_TIMEOUT', status: 503, retryAfterSeconds: 1 });
  expect([arrivals.length, waiting()]).toEqual([1, 0]);
});

test('without a queue a call that finds no place is refused at once', () => {
  const { begin } = setUp({ queue: 0 });
  begin();
  expect(begin().caller.error?.code).toBe('GW_QUEUE_FULL');
});

test('a deadline is kept in the queue too', () => {
  const { begin, clock } = setUp();
  begin();
  const { caller } = begin({ deadlineMs: 300 });
  clock.advance(300);
  expect(caller.error?.code).toBe('GW_TIMEOUT');
});

test('a client that leaves the queue is never sent', async () => {
  const { begin, arrivals, waiting, seating, clock } = setUp();
  begin();
  const { caller, flight } = begin();
  flight.cancel(LEFT);
  expect(waiting()).toBe(0);
  arrivals[0]!.answer(200).into!.end(null);
  await seating();
  clock.advance(5000);
  expect([arrivals.length, caller.error, caller.attempts]).toEqual([1, null, []]);
});

test('failures and cancelled calls free their place as answers do', async () => {
  const { begin, last, seating } = setUp();
  const first = begin();
  const second = begin();
  first.flight.cancel(LEFT);
  await seating();
  expect(second.caller.attempts).toHaveLength(1);
  const third = begin();
  last().to.fail(gatewayError('GW_UPSTREAM_PROTOCOL'));
  await seating();
  expect(third.caller.attempts).toHaveLength(1);
});

test('no endpoint at all is no reason to wait', () => {
  const { begin, upstream } = setUp();
  upstream.update([]);
  expect(begin().caller.error?.code).toBe('GW_NO_ENDPOINT');
});

test('an endpoint that comes back serves those who wait', async () => {
  const { begin, upstream, arrivals, seating } = setUp({}, two);
  upstream.slots[1]!.keepOut('unhealthy', true);
  begin();
  begin();
  expect(arrivals).toHaveLength(1);
  upstream.slots[1]!.keepOut('unhealthy', false);
  begin();
  await seating();
  expect(arrivals.map(({ host }) => host)).toEqual(['a', 'b']);
});

test('the whole upstream may have a cap of its own', async () => {
  const { begin, arrivals, waiting, seating } = setUp({ endpoint: 10, upstream: 3 }, two);
  for (let n = 0; n < 4; n++) begin();
  expect([arrivals.length, waiting()]).toEqual([3, 1]);
  arrivals[0]!.answer(200).into!.end(null);
  await seating();
  expect([arrivals.length, waiting()]).toEqual([4, 0]);
});

test('other limits hold from a reload on', async () => {
  const { begin, upstream, arrivals, seating } = setUp();
  for (let n = 0; n < 3; n++) begin();
  expect(arrivals).toHaveLength(1);
  upstream.update(one, { ...upstream.options, concurrency: { ...CAPS, endpoint: 2, queue: 1 } });
  await seating();
  expect(arrivals).toHaveLength(2);
  expect(begin().caller.error?.code).toBe('GW_QUEUE_FULL');
  upstream.update(one, { ...upstream.options, concurrency: { ...CAPS, endpoint: 1 } });
  arrivals[0]!.answer(200).into!.end(null);
  await seating();
  expect(arrivals).toHaveLength(2);
});

test('closing the upstream turns away who waits', async () => {
  const { begin, upstream, clock } = setUp();
  begin();
  const { caller } = begin();
  await upstream.close(0);
  expect(caller.error?.code).toBe('GW_STOPPING');
  expect(clock.pending).toBe(1);
});

describe('a stream', () => {
  test('gives its place back once its head has come, and is counted until its end', async () => {
    const { begin, arrivals, upstream, waiting, seating } = setUp();
    begin();
    const { caller } = begin();
    expect(waiting()).toBe(1);
    const body = arrivals[0]!.answer(200, EVENTS);
    await seating();
    expect(caller.attempts).toHaveLength(1);
    const [slot] = upstream.slots;
    expect([slot!.inFlight, slot!.streams]).toEqual([2, 1]);
    body.into!.end(null);
    expect([slot!.inFlight, slot!.streams]).toEqual([1, 0]);
    expect(slot!.full).toBe(true);
  });

  test('past the number of streams takes the place of a request', () => {
    const { begin, arrivals, upstream, waiting } = setUp({ streams: 1 });
    begin();
    arrivals[0]!.answer(200, EVENTS);
    begin();
    arrivals[1]!.answer(200, EVENTS);
    begin();
    expect([waiting(), upstream.slots[0]!.streams]).toEqual([1, 1]);
  });

  test('may be an upgrade', () => {
    const { call, last, upstream, begin, waiting } = setUp();
    call.connect(callOf(null, headOf('GET')), { open() {}, refuse() {}, fail() {} });
    const tunnel = last().open();
    expect(upstream.slots[0]).toMatchObject({ inFlight: 1, streams: 1, full: false });
    begin();
    expect(waiting()).toBe(0);
    expect(tunnel).toBeDefined();
  });
});
