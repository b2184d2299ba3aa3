/** Tries after the first: how long each may take, what the upstream asks to wait, and what back-off costs. */
import { describe, expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import type { Call } from '../../../src/wire/transport.ts';
import { fieldsOf } from '../../kit/proxy.ts';
import { bodyOf, Caller, callOf, headOf } from '../../kit/upstream.ts';
import { openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const two = [specOf('a'), specOf('b')];
const RESET = gatewayError('GW_UPSTREAM_RESET');
const LATE = gatewayError('GW_TIMEOUT', 'while sending');

const begin = (hands: ReturnType<typeof openHands>, method = 'GET', change: Partial<Call> = {}) => {
  const caller = new Caller();
  const head = { ...headOf(method), ...(change.head ?? {}) };
  const flight = hands.call.send(callOf(caller, head, { ...change, head }), caller);
  return { caller, flight };
};

describe('with an Idempotency-Key', () => {
  const head = { ...headOf('POST'), fields: fieldsOf({ 'idempotency-key': 'k-1' }) };

  test('a POST that broke is tried again with its body and its key', () => {
    const hands = openHands(two);
    begin(hands, 'POST', { head, body: bodyOf('pay') });
    const sink = new Caller();
    hands.last().call.body!.read(sink);
    hands.last().to.fail(RESET);
    expect(hands.arrivals.map((arrival) => arrival.host)).toEqual(['a', 'b']);
    const again = new Caller();
    hands.last().call.body!.read(again);
    expect([sink.body, again.body]).toEqual(['pay', 'pay']);
    expect(hands.last().call.head.fields['idempotency-key']).toBe('k-1');
  });

  test('a listed status is tried again', () => {
    const hands = openHands(two);
    begin(hands, 'POST', { head });
    hands.last().answer(503);
    expect(hands.arrivals).toHaveLength(2);
  });
});

describe('the limit of one try', () => {
  test('is told to the endpoint as its deadline, counted from its own start', () => {
    const hands = openHands(two, { perTryMs: 300 });
    begin(hands, 'GET', { deadlineMs: 10_000 });
    expect(hands.last().call.deadlineMs).toBe(300);
    hands.clock.advance(100);
    hands.last().to.fail(RESET);
    expect(hands.last().call.deadlineMs).toBe(400);
  });

  test('never passes the end of the whole call', () => {
    const hands = openHands(two, { perTryMs: 300 });
    begin(hands, 'GET', { deadlineMs: 200 });
    expect(hands.last().call.deadlineMs).toBe(200);
  });

  test('is tried again elsewhere though `on` does not list timeout', () => {
    const hands = openHands(two, { perTryMs: 300, on: [] });
    const { caller } = begin(hands, 'GET', { deadlineMs: 10_000 });
    hands.clock.advance(300);
    hands.last().to.fail(LATE);
    expect(hands.last().host).toBe('b');
    hands.last().answer(200).into!.end(null);
    expect(caller.outcomes).toEqual(['GW_UPSTREAM_TIMEOUT', 200]);
  });

  test('is no reason to send a POST twice', () => {
    const hands = openHands(two, { perTryMs: 300 });
    const { caller } = begin(hands, 'POST', { deadlineMs: 10_000 });
    hands.clock.advance(300);
    hands.last().to.fail(LATE);
    expect(hands.arrivals).toHaveLength(1);
    expect(caller.error).toMatchObject({
      code: 'GW_UPSTREAM_TIMEOUT',
      detail: '300 ms for one try, while sending',
    });
  });

  test('that falls together with the end of the call is the end of the call', () => {
    const hands = openHands(two, { perTryMs: 300 });
    const { caller } = begin(hands, 'GET', { deadlineMs: 300 });
    hands.clock.advance(300);
    hands.last().to.fail(LATE);
    expect(caller.error).toBe(LATE);
    expect(hands.arrivals).toHaveLength(1);
  });
});

describe('Retry-After of an answer that is tried again', () => {
  const busy = (text: string) => fieldsOf({ 'retry-after': text });

  test('is waited for, whichever endpoint is next, and a little longer', () => {
    const hands = openHands(two, {}, 0.5);
    begin(hands);
    hands.last().answer(503, busy('1'));
    hands.clock.advance(1124);
    expect(hands.arrivals).toHaveLength(1);
    hands.clock.advance(6);
    expect(hands.last().host).toBe('b');
  });

  test('as a date is waited for too', () => {
    const hands = openHands(two, {}, 0);
    begin(hands);
    hands.last().answer(503, busy('Thu, 01 Jan 2026 00:00:02 GMT'));
    hands.clock.advance(1995);
    expect(hands.arrivals).toHaveLength(1);
    hands.clock.advance(10);
    expect(hands.arrivals).toHaveLength(2);
  });

  test('past the bound makes the answer the last one', () => {
    const hands = openHands(two, { maxRetryAfterMs: 2000 });
    const { caller } = begin(hands);
    hands.last().answer(503, busy('3'));
    expect(caller.status).toBe(503);
    expect(hands.upstream.budget.retries).toBe(0);
  });

  test('past the deadline makes the answer the last one', () => {
    const hands = openHands(two);
    const { caller } = begin(hands, 'GET', { deadlineMs: 900 });
    hands.last().answer(503, busy('1'));
    expect(caller.status).toBe(503);
    expect(hands.upstream.budget.retries).toBe(0);
  });

  test.each(['0', 'soon'])('of "%s" is no wait', (text) => {
    const hands = openHands(two);
    begin(hands);
    hands.last().answer(503, busy(text));
    expect(hands.arrivals).toHaveLength(2);
  });

  test('on an answer that is not tried again changes nothing', () => {
    const hands = openHands(two);
    const { caller } = begin(hands);
    hands.last().answer(429, busy('1'));
    expect(caller.status).toBe(429);
  });
});

describe('the budget', () => {
  test('counts those that still wait: none slips past it together', () => {
    const hands = openHands(two, { budget: 0.2 });
    for (let n = 0; n < 100; n++) begin(hands);
    for (const arrival of [...hands.arrivals]) arrival.answer(503, fieldsOf({ 'retry-after': '2' }));
    // Twenty of a hundred have leave and wait; all others have had their 503.
    hands.clock.advance(5000);
    expect(hands.arrivals).toHaveLength(120);
    expect(hands.upstream.budget).toMatchObject({ retries: 20, refused: 80 });
  });

  test('counts what it allows and what it refuses', () => {
    const hands = openHands(two, { budget: 0 });
    hands.failing.set('a', RESET).set('b', RESET);
    for (let n = 0; n < 10; n++) begin(hands);
    expect(hands.upstream.budget).toMatchObject({ retries: 3, refused: 7 });
  });
});
