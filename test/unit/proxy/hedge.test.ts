/** Hedged requests, with endpoints answered and time moved by hand. */
import { describe, expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { bodyOf, Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const two = [specOf('a'), specOf('b')];
const RESET = gatewayError('GW_UPSTREAM_RESET');

const begin = (retry: Parameters<typeof openHands>[1] = {}, targets = two) => {
  const hands = openHands(targets, { hedgeAfterMs: 200, ...retry });
  const caller = new Caller();
  const flight = hands.call.send(callOf(caller, headOf('GET')), caller);
  const [first, second] = [() => hands.arrivals[0]!, () => hands.arrivals[1]!];
  return { hands, caller, flight, first, second };
};

describe('a GET', () => {
  test('that is answered in time is sent once', () => {
    const { hands, caller, first } = begin();
    hands.clock.advance(199);
    first().answer(200).into!.end(null);
    hands.clock.advance(1000);
    expect([hands.arrivals.length, caller.status]).toEqual([1, 200]);
    expect(hands.upstream.hedges).toEqual({ sent: 0, won: 0 });
  });

  test('without an answer goes to another endpoint as well', () => {
    const { hands } = begin();
    hands.clock.advance(205);
    expect(hands.arrivals.map(({ host }) => host)).toEqual(['a', 'b']);
    expect(hands.inFlight()).toEqual([1, 1]);
    expect(hands.upstream.hedges).toEqual({ sent: 1, won: 0 });
    expect(hands.upstream.budget.retries).toBe(1);
  });

  test('whose second endpoint is faster has that answer, and the first is cancelled', () => {
    const { hands, caller, first, second } = begin();
    hands.clock.advance(205);
    const body = second().answer(200);
    expect(first().cancelled?.code).toBe('GW_HEDGE_LOST');
    expect(hands.inFlight()).toEqual([0, 1]);
    body.into!.write(Buffer.from('fast'));
    body.into!.end(null);
    expect([caller.status, caller.body]).toEqual([200, 'fast']);
    expect(caller.outcomes).toEqual([200, 'GW_HEDGE_LOST']);
    expect(hands.inFlight()).toEqual([0, 0]);
    expect(hands.upstream.hedges).toEqual({ sent: 1, won: 1 });
  });

  test('whose first endpoint is faster after all has that answer', () => {
    const { hands, caller, first, second } = begin();
    hands.clock.advance(205);
    first().answer(200).into!.end(null);
    expect([second().cancelled?.code, caller.status]).toEqual(['GW_HEDGE_LOST', 200]);
    expect(hands.inFlight()).toEqual([0, 0]);
    expect(hands.upstream.hedges.won).toBe(0);
  });

  test('is not told of early hints once two are under way', () => {
    const { hands, caller, first, second } = begin();
    first().to.inform(103, {});
    hands.clock.advance(205);
    first().to.inform(103, {});
    second().to.inform(103, {});
    expect(caller.informed).toEqual([103]);
  });
});

describe('when one of the two fails', () => {
  test('the other goes on, whichever it is', () => {
    for (const failing of [0, 1]) {
      const { hands, caller } = begin({ attempts: 1 });
      hands.clock.advance(205);
      hands.arrivals[failing]!.to.fail(RESET);
      expect(caller.error).toBeNull();
      hands.arrivals[1 - failing]!.answer(200).into!.end(null);
      expect(caller.status).toBe(200);
      expect(hands.inFlight()).toEqual([0, 0]);
    }
  });

  test('and then the other, the failure of the first is told', () => {
    const { hands, caller, first, second } = begin({ attempts: 1 });
    hands.clock.advance(205);
    second().to.fail(gatewayError('GW_UPSTREAM_PROTOCOL'));
    first().to.fail(RESET);
    expect(caller.error).toBe(RESET);
  });

  test('before the second is sent, the call fails and nothing more is sent', () => {
    const { hands, caller, first } = begin({ attempts: 1 });
    first().to.fail(RESET);
    hands.clock.advance(1000);
    expect([caller.error, hands.arrivals.length]).toEqual([RESET, 1]);
  });

  test('the first is tried again as ever while the second is out', () => {
    const { hands, caller } = begin({ budget: 1 }, [...two, specOf('c')]);
    hands.clock.advance(205);
    hands.arrivals[0]!.to.fail(RESET);
    expect(hands.arrivals).toHaveLength(3);
    hands.arrivals[2]!.answer(200).into!.end(null);
    expect([caller.status, hands.arrivals[1]!.cancelled?.code]).toEqual([200, 'GW_HEDGE_LOST']);
  });
});

test('a listed status of the second is no answer while the first may give a better one', () => {
  const { hands, caller, first, second } = begin({ on: [503], attempts: 1 });
  hands.clock.advance(205);
  expect(second().answer(503).cancelled?.code).toBe('GW_HEDGE_LOST');
  expect([caller.status, hands.inFlight()]).toEqual([0, [1, 0]]);
  first().answer(200).into!.end(null);
  expect(caller.status).toBe(200);
});

describe('nothing is hedged', () => {
  test.each(['POST', 'PUT', 'DELETE', 'HEAD'])('of %s', (method) => {
    const hands = openHands(two, { hedgeAfterMs: 200 });
    hands.call.send(callOf(null, headOf(method)), new Caller());
    hands.clock.advance(1000);
    expect(hands.arrivals).toHaveLength(1);
  });

  test('that has a body, or whose client belongs to an endpoint', () => {
    for (const change of [{ body: bodyOf('x') }, { stick: 'a' }]) {
      const hands = openHands(two, { hedgeAfterMs: 200 });
      hands.call.send(callOf(null, headOf('GET'), change), new Caller());
      hands.clock.advance(1000);
      expect(hands.arrivals).toHaveLength(1);
    }
  });

  test('where there is no other endpoint', () => {
    const { hands } = begin({}, [specOf('a')]);
    hands.clock.advance(1000);
    expect([hands.arrivals.length, hands.upstream.hedges.sent, hands.upstream.budget.retries]).toEqual([
      1, 0, 0,
    ]);
  });

  test('past the budget', () => {
    const hands = openHands(two, { hedgeAfterMs: 200, budget: 0.1 });
    for (let n = 0; n < 100; n++) hands.call.send(callOf(null, headOf('GET')), new Caller());
    hands.clock.advance(205);
    expect(hands.arrivals).toHaveLength(110);
    expect(hands.upstream.hedges.sent).toBe(10);
  });
});

test('a client that leaves cancels both', () => {
  const { hands, flight, first, second } = begin();
  hands.clock.advance(205);
  flight.cancel(LEFT);
  expect([first().cancelled, second().cancelled]).toEqual([LEFT, LEFT]);
  expect(hands.inFlight()).toEqual([0, 0]);
  hands.clock.advance(1000);
  expect(hands.arrivals).toHaveLength(2);
});
