/** Calls that another upstream takes over, with endpoints answered by hand. */
import { describe, expect, test } from 'vitest';
import { type GatewayCode, gatewayError } from '../../../src/kernel/errors.ts';
import { createFailover } from '../../../src/proxy/failover.ts';
import type { EndpointSpec } from '../../../src/wire/endpoint.ts';
import type { Call } from '../../../src/wire/transport.ts';
import { bodyOf, Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const REFUSED = gatewayError('GW_CONNECT_REFUSED');

const setUp = (first: readonly EndpointSpec[], next: readonly EndpointSpec[] = [specOf('b')]) => {
  const [own, other] = [openHands(first), openHands(next)];
  let moves = 0;
  const moved = () => {
    moves++;
  };
  const call = createFailover({ clock: own.clock, first: own.call, next: other.call, moved });
  const begin = (method = 'GET', change: Partial<Call> = {}) => {
    const caller = new Caller();
    const flight = call.send(callOf(caller, headOf(method), change), caller);
    return { caller, flight };
  };
  return { own, other, call, begin, moves: () => moves };
};

test('while the first upstream has somebody, the next is not asked', () => {
  const { own, other, begin, moves } = setUp([specOf('a')]);
  const { caller } = begin('PUT', { body: bodyOf('hello') });
  const sink = new Caller();
  own.last().call.body!.read(sink);
  own.last().answer(200).into!.end(null);
  expect([caller.status, sink.body, other.arrivals.length, moves()]).toEqual([200, 'hello', 0, 0]);
});

describe('the next upstream takes over', () => {
  test('from one without any endpoint', () => {
    const { other, begin, moves } = setUp([]);
    const { caller } = begin('POST', { body: bodyOf('hello') });
    const sink = new Caller();
    other.last().call.body!.read(sink);
    other.last().answer(201).into!.end(null);
    expect([caller.status, sink.body, moves()]).toEqual([201, 'hello', 1]);
  });

  test('from one whose endpoints are all out, without asking them', () => {
    const { own, other, begin } = setUp([specOf('a')]);
    own.upstream.slots[0]!.keepOut('unhealthy', true);
    begin();
    expect([own.arrivals.length, other.arrivals.length]).toEqual([0, 1]);
  });

  test('within the call, when all that were tried refuse connections', () => {
    const { own, other, begin, moves } = setUp([specOf('a'), specOf('c')]);
    own.failing.set('a', REFUSED).set('c', REFUSED);
    const { caller } = begin('POST', { body: bodyOf('hel', 'lo') });
    const sink = new Caller();
    other.last().call.body!.read(sink);
    expect(sink.body).toBe('hello');
    other.last().answer(200).into!.end(null);
    expect(caller.outcomes).toEqual(['GW_CONNECT_REFUSED', 'GW_CONNECT_REFUSED', 200]);
    expect(moves()).toBe(1);
    expect(own.inFlight()).toEqual([0, 0]);
    expect(other.inFlight()).toEqual([0]);
  });

  test('and may fail itself: that failure is told, and nobody else is asked', () => {
    const { other, begin, moves } = setUp([]);
    other.failing.set('b', REFUSED);
    const body = bodyOf('hello');
    const { caller } = begin('PUT', { body });
    // It is tried once more, after a pause.
    other.clock.advance(100);
    expect(caller.error).toBe(REFUSED);
    expect(moves()).toBe(1);
    expect(body.cancelled).toBe(REFUSED);
  });
});

describe('the next upstream is not asked', () => {
  test.each<GatewayCode>([
    'GW_UPSTREAM_RESET',
    'GW_UPSTREAM_TIMEOUT',
    'GW_UPSTREAM_PROTOCOL',
    'GW_TIMEOUT',
    'GW_QUEUE_FULL',
  ])('after %s: an endpoint may have had the request, or all are only busy', (code) => {
    const { own, other, begin } = setUp([specOf('a')]);
    const { caller } = begin('POST');
    own.last().to.fail(gatewayError(code));
    expect(caller.error?.code).toBe(code);
    expect(other.arrivals).toHaveLength(0);
  });

  test('when it is no better off itself: then the first is tried', () => {
    const { own, other, begin } = setUp([specOf('a')]);
    own.upstream.slots[0]!.keepOut('unhealthy', true);
    other.upstream.slots[0]!.keepOut('unhealthy', true);
    begin();
    expect([own.arrivals.length, other.arrivals.length]).toEqual([1, 0]);
  });

  test('once the time is over', () => {
    const { own, other, begin } = setUp([specOf('a')]);
    const { caller } = begin('GET', { deadlineMs: 100 });
    own.clock.advance(100);
    own.last().to.fail(REFUSED);
    expect(caller.error).toBe(REFUSED);
    expect(other.arrivals).toHaveLength(0);
  });

  test('once the client has left', () => {
    const { own, other, begin } = setUp([specOf('a')]);
    const body = bodyOf('hello');
    const { caller, flight } = begin('PUT', { body });
    flight.cancel(LEFT);
    own.last().to.fail(REFUSED);
    expect([own.last().cancelled, body.cancelled]).toEqual([LEFT, LEFT]);
    expect(other.arrivals).toHaveLength(0);
    expect(caller.error).toBeNull();
  });
});

test('a client that leaves after the move cancels the call that runs', () => {
  const { other, begin } = setUp([]);
  const { flight } = begin('PUT', { body: bodyOf('hello') });
  flight.cancel(LEFT);
  expect(other.last().cancelled).toBe(LEFT);
  expect(other.inFlight()).toEqual([0]);
});

test('and also when the first failed before it had given its flight', () => {
  const { own, other, begin } = setUp([specOf('a'), specOf('c')]);
  own.failing.set('a', REFUSED).set('c', REFUSED);
  const { flight } = begin();
  flight.cancel(LEFT);
  expect(other.last().cancelled).toBe(LEFT);
  expect(other.inFlight()).toEqual([0]);
});

test('an endpoint that answers and wants no more of the body stops the client', () => {
  const { own, begin } = setUp([specOf('a')]);
  const body = bodyOf('hello');
  begin('PUT', { body });
  own.last().answer(200);
  own.last().call.body!.cancel(LEFT);
  expect(body.cancelled).toBe(LEFT);
});

test('a row of failovers is gone through to its end', () => {
  const last = openHands([specOf('c')]);
  const { own, other } = setUp([], []);
  const moved = () => {};
  const second = createFailover({ clock: own.clock, first: other.call, next: last.call, moved });
  const call = createFailover({ clock: own.clock, first: own.call, next: second, moved });
  const caller = new Caller();
  call.send(callOf(caller, headOf('GET')), caller);
  expect(last.arrivals).toHaveLength(1);
  expect(call.usable()).toBe(true);
});
