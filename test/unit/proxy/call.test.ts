/** The turns of one call, with endpoints answered and time moved by hand. */
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GatewayCode, gatewayError } from '../../../src/kernel/errors.ts';
import type { Slot } from '../../../src/upstream/slot.ts';
import type { Call, CallObserver, Flight } from '../../../src/wire/transport.ts';
import type { TunnelReceiver } from '../../../src/wire/tunnel.ts';
import { bodyOf, Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { type Arrival, type HandBody, openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const one = [specOf('a')];
const two = [specOf('a'), specOf('b')];
const RESET = gatewayError('GW_UPSTREAM_RESET');
const REFUSED = gatewayError('GW_CONNECT_REFUSED');

const begin = (hands: ReturnType<typeof openHands>, method = 'GET', change: Partial<Call> = {}) => {
  const caller = new Caller();
  const flight = hands.call.send(callOf(caller, headOf(method), change), caller);
  return { caller, flight };
};

test('a call that nothing changes reaches the endpoint as the very same object', () => {
  const hands = openHands(one);
  const caller = new Caller();
  const call = callOf(null, headOf('GET'));
  hands.call.send(call, caller);
  expect(hands.last().call).toBe(call);
});

test('no endpoint is said at once', () => {
  const hands = openHands([specOf('a', 0)]);
  const { caller, flight } = begin(hands);
  expect(caller.error?.code).toBe('GW_NO_ENDPOINT');
  flight.cancel(LEFT);
});

test('a slot counts a call until the end of its answer, once', () => {
  const hands = openHands(one);
  const { caller, flight } = begin(hands);
  expect(hands.inFlight()).toEqual([1]);
  const body = hands.last().answer(200);
  expect(hands.inFlight()).toEqual([1]);
  body.into!.write(Buffer.from('hi'));
  body.into!.end(null);
  expect(hands.inFlight()).toEqual([0]);
  flight.cancel(LEFT);
  expect(hands.inFlight()).toEqual([0]);
  expect(caller.body).toBe('hi');
  expect(body.cancelled).toBeNull();
});

test('the body passes on lengths, back-pressure and its wake-up', () => {
  const hands = openHands(one);
  const { caller } = begin(hands);
  caller.reads = false;
  const body = hands.last().answer(200);
  body.length = 7;
  expect(caller.response!.length).toBe(7);
  const slow = { ready: null as (() => void) | null, write: () => false, end() {}, fail() {} };
  caller.response!.read(slow);
  expect(body.into!.write(Buffer.from('x'))).toBe(false);
  let woken = 0;
  body.into!.ready = () => woken++;
  slow.ready!();
  expect(woken).toBe(1);
});

describe('the head of an attempt', () => {
  test('may be changed for that attempt only', () => {
    const hands = openHands(two);
    const caller = new Caller();
    const head = headOf('GET', '/path');
    head.fields['x-list'] = ['1'];
    caller.onAttempt = (own, number) => {
      own.fields['x-attempt'] = String(number);
      own.authority = `host-${number}`;
      (own.fields['x-list'] as string[]).push('more');
    };
    hands.call.send(callOf(caller, head), caller);
    hands.last().to.fail(RESET);
    expect(hands.arrivals.map((arrival) => arrival.call.head)).toMatchObject([
      { authority: 'host-1', path: '/path', fields: { 'x-attempt': '1', 'x-list': ['1', 'more'] } },
      { authority: 'host-2', path: '/path', fields: { 'x-attempt': '2', 'x-list': ['1', 'more'] } },
    ]);
    expect(head).toMatchObject({ authority: 'test', fields: { 'x-list': ['1'] } });
    expect(head.fields['x-attempt']).toBeUndefined();
  });

  test('is not copied for an observer that changes nothing', () => {
    const hands = openHands(one);
    const observer: CallObserver = { changesHead: false, attempt() {}, attempted() {} };
    const call = callOf(null, headOf('GET'), { observer });
    hands.call.send(call, new Caller());
    expect(hands.last().call).toBe(call);
  });

  test('that makes the caller give up is never sent', () => {
    const hands = openHands(two);
    const { caller, flight } = begin(hands);
    caller.onAttempt = () => flight.cancel(LEFT);
    hands.last().to.fail(RESET);
    expect(hands.arrivals).toHaveLength(1);
    expect(hands.inFlight()).toEqual([0, 0]);
  });
});

describe('is tried again', () => {
  const cases: [string, GatewayCode, boolean][] = [
    ['GET', 'GW_UPSTREAM_RESET', true],
    ['HEAD', 'GW_UPSTREAM_RESET', true],
    ['OPTIONS', 'GW_UPSTREAM_RESET', true],
    ['PUT', 'GW_UPSTREAM_RESET', true],
    ['DELETE', 'GW_UPSTREAM_RESET', true],
    ['POST', 'GW_UPSTREAM_RESET', false],
    ['PATCH', 'GW_UPSTREAM_RESET', false],
    ['get', 'GW_UPSTREAM_RESET', false],
    ['POST', 'GW_DNS', true],
    ['POST', 'GW_TLS', true],
    ['POST', 'GW_CONNECT_TIMEOUT', true],
    ['POST', 'GW_UPSTREAM_STALE', true],
    ['GET', 'GW_UPSTREAM_TIMEOUT', false],
    ['GET', 'GW_UPSTREAM_PROTOCOL', false],
    ['GET', 'GW_TIMEOUT', false],
    ['GET', 'GW_QUEUE_FULL', false],
  ];
  test.each(cases)('%s after %s: %s', (method, code, again) => {
    const hands = openHands(two);
    const { caller } = begin(hands, method);
    hands.last().to.fail(gatewayError(code));
    expect(hands.arrivals.map((arrival) => arrival.host)).toEqual(again ? ['a', 'b'] : ['a']);
    expect(caller.error?.code).toBe(again ? undefined : code);
    expect(hands.inFlight()).toEqual(again ? [0, 1] : [0, 0]);
  });

  test.each([
    ['timeout', 'GW_UPSTREAM_TIMEOUT', 2],
    ['timeout', 'GW_UPSTREAM_RESET', 1],
    ['reset', 'GW_UPSTREAM_TIMEOUT', 1],
    ['reset', 'GW_CONNECT_REFUSED', 1],
  ] as const)('with on: [%s] after %s: %i attempts', (cause, code, attempts) => {
    const hands = openHands(two, { on: [cause] });
    begin(hands);
    hands.last().to.fail(gatewayError(code));
    expect(hands.arrivals).toHaveLength(attempts);
  });

  test.each([
    ['POST', 1000, 2],
    ['POST', 1001, 1],
    ['PUT', 60_000, 2],
  ] as const)(
    '%s on a connection that proves stale after %i ms: %i attempts',
    (method, afterMs, attempts) => {
      const hands = openHands(two);
      begin(hands, method, { body: bodyOf('x') });
      hands.clock.advance(afterMs);
      hands.last().to.fail(gatewayError('GW_UPSTREAM_STALE'));
      expect(hands.arrivals).toHaveLength(attempts);
    },
  );

  test('as often as attempts says, and the last failure is told', () => {
    const hands = openHands([...two, specOf('c')], { attempts: 2 });
    const { caller } = begin(hands);
    hands.last().to.fail(RESET);
    hands.last().to.fail(gatewayError('GW_UPSTREAM_RESET', 'the last'));
    expect(hands.arrivals).toHaveLength(2);
    expect(caller.error?.detail).toBe('the last');
  });

  test('by the options of the latest update', () => {
    const hands = openHands(two);
    hands.upstream.update(two, {
      ...hands.upstream.options,
      retry: { ...hands.upstream.options.retry, attempts: 1 },
    });
    const { caller } = begin(hands);
    hands.last().to.fail(RESET);
    expect(caller.error).toBe(RESET);
  });

  test('with nothing of its body once that was given up to the upstream and lost', () => {
    const hands = openHands(two);
    const body = bodyOf('x'.repeat(70_000));
    const { caller } = begin(hands, 'PUT', { body });
    hands.last().call.body!.read(new Caller());
    hands.last().to.fail(RESET);
    expect(hands.arrivals).toHaveLength(1);
    expect(caller.error).toBe(RESET);
    expect(body.cancelled).toBe(RESET);
  });
});

test('endpoints that fail before send returns are passed over all the same', () => {
  const hands = openHands([...two, specOf('c')]);
  hands.failing.set('a', REFUSED).set('b', REFUSED);
  const { caller, flight } = begin(hands);
  expect(caller.outcomes).toEqual(['GW_CONNECT_REFUSED', 'GW_CONNECT_REFUSED']);
  expect(hands.inFlight()).toEqual([0, 0, 1]);
  // The flight held is that of the last attempt.
  flight.cancel(LEFT);
  expect(hands.arrivals.map((arrival) => arrival.cancelled)).toEqual([null, null, LEFT]);
  expect(hands.inFlight()).toEqual([0, 0, 0]);
});

describe('the wait before an endpoint is tried again', () => {
  test('grows with each and has an end', () => {
    const hands = openHands(one, { attempts: 7, budget: 1 }, 0.999);
    for (let n = 0; n < 20; n++) hands.upstream.budget.request();
    begin(hands);
    const waits: number[] = [];
    for (let attempt = 1; attempt < 7; attempt++) {
      hands.last().to.fail(RESET);
      const startMs = hands.clock.nowMs();
      while (hands.arrivals.length === attempt) hands.clock.advance(1);
      waits.push(hands.clock.nowMs() - startMs);
    }
    for (const [at, expected] of [25, 50, 100, 200, 250, 250].entries()) {
      expect(waits[at]).toBeGreaterThanOrEqual(expected - 1);
      // The wheel turns in steps of 5 ms here.
      expect(waits[at]).toBeLessThanOrEqual(expected + 6);
    }
  });

  test('has full jitter', () => {
    for (const [chance, waitMs] of [
      [0.04, 5],
      [0.9, 25],
    ] as const) {
      const hands = openHands(one, {}, chance);
      begin(hands);
      hands.last().to.fail(RESET);
      hands.clock.advance(waitMs - 1);
      expect(hands.arrivals).toHaveLength(1);
      hands.clock.advance(1);
      expect(hands.arrivals).toHaveLength(2);
    }
  });

  test('holds no slot, and cancelling in it is enough', () => {
    const hands = openHands(one, {}, 0.5);
    const body = bodyOf('x');
    const { caller, flight } = begin(hands, 'PUT', { body });
    hands.last().to.fail(RESET);
    expect(hands.inFlight()).toEqual([0]);
    flight.cancel(LEFT);
    hands.clock.advance(1000);
    expect(hands.arrivals).toHaveLength(1);
    expect(caller).toMatchObject({ error: null, outcomes: ['GW_UPSTREAM_RESET'] });
    expect(body.cancelled).toBe(LEFT);
  });

  test('does not pass the deadline', () => {
    const hands = openHands(one, {}, 0.9);
    const { caller } = begin(hands, 'GET', { deadlineMs: 10 });
    hands.last().to.fail(RESET);
    expect(caller.error).toBe(RESET);
    const late = begin(hands, 'GET', { deadlineMs: 10 });
    hands.clock.advance(11);
    hands.last().to.fail(RESET);
    expect(late.caller.error).toBe(RESET);
    expect(hands.arrivals).toHaveLength(2);
  });

  test('ends at another endpoint if one has come', () => {
    const hands = openHands(one, {}, 0.9);
    begin(hands);
    hands.last().to.fail(RESET);
    hands.upstream.update(two);
    hands.clock.advance(50);
    expect(hands.last().host).toBe('b');
  });

  test('ends in the failure if all are gone', () => {
    const hands = openHands(one, {}, 0.9);
    const { caller } = begin(hands);
    hands.last().to.fail(RESET);
    hands.upstream.update([]);
    hands.clock.advance(50);
    expect(caller.error).toBe(RESET);
  });
});

describe('the budget', () => {
  test('keeps retries to its part of the calls', () => {
    const hands = openHands(two, { budget: 0.2 });
    hands.failing.set('a', RESET).set('b', RESET);
    for (let n = 0; n < 1000; n++) begin(hands);
    expect(hands.arrivals.length).toBe(1200);
  });

  test('is not asked when a refused endpoint is passed over for one thought to be well', () => {
    const hands = openHands(two, { budget: 0 });
    // Enough to use up what is always allowed.
    for (let n = 0; n < 3; n++) hands.upstream.budget.take();
    hands.failing.set('a', REFUSED);
    const { caller } = begin(hands);
    expect(caller.attempts).toEqual(['a:80', 'b:80']);
  });

  test('is asked when only refused ones are left', () => {
    const hands = openHands(two, { budget: 0.2 });
    hands.failing.set('a', REFUSED).set('b', REFUSED);
    for (let n = 0; n < 1000; n++) begin(hands);
    expect(hands.arrivals.length).toBeLessThanOrEqual(1205);
  });
});

describe('an answer of a listed status', () => {
  test('is read away, and its slot counts it until then', () => {
    const hands = openHands(two);
    begin(hands);
    const body = hands.last().answer(503);
    expect(hands.inFlight()).toEqual([1, 1]);
    body.into!.write(Buffer.alloc(100));
    body.into!.end(null);
    expect(hands.inFlight()).toEqual([0, 1]);
    expect(body.cancelled).toBeNull();
  });

  test('is cut when it is long', () => {
    const hands = openHands(two);
    begin(hands);
    const body = hands.last().answer(503);
    body.into!.write(Buffer.alloc(10_000));
    expect(body.into!.write(Buffer.alloc(10_000))).toBe(false);
    expect(body.cancelled).not.toBeNull();
    expect(hands.inFlight()).toEqual([0, 1]);
  });

  test('is passed on when it is the last', () => {
    const hands = openHands(two);
    const { caller } = begin(hands);
    hands.last().answer(503);
    hands.last().answer(503);
    expect(caller.status).toBe(503);
  });
});

test('an answer that comes after the caller left is freed', () => {
  const hands = openHands(one);
  const { caller, flight } = begin(hands);
  flight.cancel(LEFT);
  expect(hands.last().answer(200).cancelled).toBe(LEFT);
  expect(caller.status).toBe(0);
});

test('a body cancelled by its reader frees the slot and what feeds it', () => {
  const hands = openHands(one);
  const { caller } = begin(hands);
  caller.reads = false;
  const body = hands.last().answer(200);
  caller.response!.cancel(LEFT);
  expect(body.cancelled).toBe(LEFT);
  expect(hands.inFlight()).toEqual([0]);
});

describe('a tunnel', () => {
  const connect = (hands: ReturnType<typeof openHands>) => {
    const caller = new Caller();
    const heard: string[] = [];
    let ended = false;
    const to: TunnelReceiver = {
      open: (head, join) => {
        heard.push(`open ${head.status}`);
        join(new PassThrough(), () => {
          ended = true;
        });
      },
      refuse: (head, body) => {
        heard.push(`refuse ${head.status}`);
        body.read(caller);
      },
      fail: (error) => heard.push(error.code),
    };
    const flight = hands.call.connect(callOf(caller, headOf('GET')), to);
    return { caller, flight, heard, isEnded: () => ended };
  };

  test('is counted by its slot until it ends', () => {
    const hands = openHands(one);
    const { caller, heard, isEnded } = connect(hands);
    const tunnel = hands.last().open();
    expect(heard).toEqual(['open 101']);
    expect(caller.outcomes).toEqual([101]);
    expect(tunnel.joined).not.toBeNull();
    expect(hands.inFlight()).toEqual([1]);
    tunnel.ended(null);
    expect(isEnded()).toBe(true);
    expect(hands.inFlight()).toEqual([0]);
  });

  test('is opened at another endpoint when one refuses connections', () => {
    const hands = openHands(two);
    hands.failing.set('a', REFUSED);
    const { heard } = connect(hands);
    hands.last().open();
    expect([hands.last().host, heard]).toEqual(['b', ['open 101']]);
    expect(hands.inFlight()).toEqual([0, 1]);
  });

  test('that is refused is an ordinary answer', () => {
    const hands = openHands(one);
    const { heard } = connect(hands);
    const body = hands.last().answer(404);
    expect(heard).toEqual(['refuse 404']);
    body.into!.end(null);
    expect(hands.inFlight()).toEqual([0]);
  });

  test('cancelled ends at any stage', () => {
    const hands = openHands(one);
    const before = connect(hands);
    before.flight.cancel(LEFT);
    expect(hands.last().cancelled).toBe(LEFT);
    hands.last().open();
    expect(before.heard).toEqual([]);
    const after = connect(hands);
    hands.last().open();
    after.flight.cancel(LEFT);
    expect(hands.last().cancelled).toBe(LEFT);
    expect(hands.inFlight()).toEqual([0]);
  });
});

test.each([
  ['', {}],
  [', hedged', { hedgeAfterMs: 30, budget: 1 }],
  [', with a limit for each try', { perTryMs: 100, on: ['connect', 'reset', 503] as const }],
])(
  'whatever happens in whatever order%s, a caller hears one end and every slot is free in the end',
  (_, retry) => {
    const step = fc.record({
      what: fc.constantFrom('send', 'fail', 'answer', 'write', 'end', 'cut', 'cancel', 'wait', 'update'),
      which: fc.nat(20),
      code: fc.constantFrom<GatewayCode>(
        'GW_CONNECT_REFUSED',
        'GW_UPSTREAM_RESET',
        'GW_UPSTREAM_STALE',
        'GW_UPSTREAM_TIMEOUT',
        'GW_UPSTREAM_PROTOCOL',
        'GW_TIMEOUT',
      ),
      status: fc.constantFrom(200, 404, 503),
      method: fc.constantFrom('GET', 'POST', 'PUT'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const hands = openHands([...two, specOf('c')], retry);
        const callers: { caller: Caller; flight: Flight; cancelled: boolean }[] = [];
        const answered = new Map<Arrival, HandBody>();
        const over = new Set<Arrival>();
        const slots = new Set<Slot>();
        const running = () =>
          hands.arrivals.filter((arrival) => !over.has(arrival) && arrival.cancelled === null);
        const waiting = () => running().filter((arrival) => !answered.has(arrival));
        const flowing = () => running().filter((arrival) => answered.get(arrival)?.cancelled === null);
        const at = <T>(list: T[], which: number) => list[which % Math.max(1, list.length)];
        const finish = (arrival: Arrival, how: (arrival: Arrival) => void) => {
          over.add(arrival);
          how(arrival);
        };

        for (const { what, which, code, status, method } of steps) {
          for (const slot of hands.upstream.slots) slots.add(slot);
          const [held, flow, known] = [at(waiting(), which), at(flowing(), which), at(callers, which)];
          if (what === 'send') {
            const caller = new Caller();
            const body = method === 'GET' ? null : bodyOf('some', 'bytes');
            const flight = hands.call.send(callOf(caller, headOf(method), { body }), caller);
            callers.push({ caller, flight, cancelled: false });
          } else if (what === 'fail' && held !== undefined) {
            finish(held, () => held.to.fail(gatewayError(code)));
          } else if (what === 'answer' && held !== undefined) {
            answered.set(held, held.answer(status));
          } else if (what === 'write' && flow !== undefined) {
            answered.get(flow)!.into!.write(Buffer.alloc(9000));
          } else if (what === 'end' && flow !== undefined) {
            finish(flow, () => answered.get(flow)!.into!.end(null));
          } else if (what === 'cut' && flow !== undefined) {
            finish(flow, () => answered.get(flow)!.into!.fail(gatewayError('GW_UPSTREAM_CUT')));
          } else if (what === 'cancel' && known !== undefined) {
            known.cancelled = true;
            known.flight.cancel(LEFT);
          } else if (what === 'wait') {
            hands.clock.advance(which * 10);
          } else if (what === 'update') {
            const specs = [specOf('a', 1 + (which % 3)), specOf('b'), specOf('c')];
            hands.upstream.update(specs.slice(which % 2));
          }
          for (const slot of slots) expect(slot.inFlight).toBeGreaterThanOrEqual(0);
        }

        // All that is still open comes to its end.
        for (let turn = 0; turn < 10; turn++) {
          for (const arrival of waiting())
            finish(arrival, () => arrival.to.fail(gatewayError('GW_UPSTREAM_PROTOCOL')));
          for (const arrival of flowing()) finish(arrival, () => answered.get(arrival)!.into!.end(null));
          for (const slot of hands.upstream.slots) slots.add(slot);
          hands.clock.advance(500);
        }
        for (const slot of slots) expect(slot.inFlight).toBe(0);
        for (const { caller, cancelled } of callers) {
          if (cancelled) expect(caller.ends).toBeLessThanOrEqual(1);
          else expect(caller.ends).toBe(1);
        }
      }),
      { numRuns: 300 },
    );
  },
);
