/** Failover in whatever order things happen, over two upstreams whose endpoints are answered by hand. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GatewayCode, gatewayError } from '../../../src/kernel/errors.ts';
import { createFailover } from '../../../src/proxy/failover.ts';
import type { Flight } from '../../../src/wire/transport.ts';
import { bodyOf, Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { type Arrival, type HandBody, openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

test('whatever happens in whatever order, a caller hears one end, a body is sent whole, and all is free in the end', () => {
  const step = fc.record({
    what: fc.constantFrom('send', 'fail', 'answer', 'read', 'end', 'cancel', 'wait', 'out', 'empty'),
    which: fc.nat(20),
    code: fc.constantFrom<GatewayCode>(
      'GW_CONNECT_REFUSED',
      'GW_UPSTREAM_RESET',
      'GW_UPSTREAM_STALE',
      'GW_TLS',
    ),
    method: fc.constantFrom('GET', 'POST', 'PUT'),
  });
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 50 }), (hedged, steps) => {
      const retry = hedged ? { hedgeAfterMs: 30, budget: 1 } : {};
      const own = openHands([specOf('a'), specOf('b')], retry);
      const other = openHands([specOf('c')], retry);
      const moved = () => {};
      const call = createFailover({ clock: own.clock, first: own.call, next: other.call, moved });
      const callers: { caller: Caller; flight: Flight; cancelled: boolean }[] = [];
      const answered = new Map<Arrival, HandBody>();
      const over = new Set<Arrival>();
      const slots = new Set([...own.upstream.slots, ...other.upstream.slots]);
      const arrivals = () => [...own.arrivals, ...other.arrivals];
      const running = () => arrivals().filter((each) => !over.has(each) && each.cancelled === null);
      const waiting = () => running().filter((each) => !answered.has(each));
      const flowing = () => running().filter((each) => answered.get(each)?.cancelled === null);
      const at = <T>(list: T[], which: number) => list[which % Math.max(1, list.length)];
      const advance = (ms: number) => {
        own.clock.advance(ms);
        other.clock.advance(ms);
      };
      for (const { what, which, code, method } of steps) {
        const [held, flow, known] = [at(waiting(), which), at(flowing(), which), at(callers, which)];
        if (what === 'send') {
          const caller = new Caller();
          const body = method === 'GET' ? null : bodyOf('some', 'bytes');
          const flight = call.send(callOf(caller, headOf(method), { body }), caller);
          callers.push({ caller, flight, cancelled: false });
        } else if (what === 'read' && held?.call.body != null) {
          const sink = new Caller();
          held.call.body.read(sink);
          // Whoever is asked has all of it, or has been passed over already.
          expect(['somebytes', '']).toContain(sink.body);
        } else if (what === 'fail' && held !== undefined) {
          over.add(held);
          held.to.fail(gatewayError(code));
        } else if (what === 'answer' && held !== undefined) {
          answered.set(held, held.answer(200));
        } else if (what === 'end' && flow !== undefined) {
          over.add(flow);
          answered.get(flow)!.into!.end(null);
        } else if (what === 'cancel' && known !== undefined) {
          known.cancelled = true;
          known.flight.cancel(LEFT);
        } else if (what === 'wait') {
          advance(which * 10);
        } else if (what === 'out') {
          at([...own.upstream.slots], which)?.keepOut('unhealthy', which % 2 === 0);
        } else if (what === 'empty') {
          own.upstream.update(which % 2 === 0 ? [] : [specOf('a'), specOf('b')]);
          for (const slot of own.upstream.slots) slots.add(slot);
        }
        for (const slot of slots) expect(slot.inFlight).toBeGreaterThanOrEqual(0);
      }
      for (let turn = 0; turn < 10; turn++) {
        for (const each of waiting()) {
          over.add(each);
          each.to.fail(gatewayError('GW_UPSTREAM_PROTOCOL'));
        }
        for (const each of flowing()) {
          over.add(each);
          answered.get(each)!.into!.end(null);
        }
        advance(500);
      }
      for (const slot of slots) expect(slot.inFlight).toBe(0);
      for (const { caller, cancelled } of callers) {
        if (cancelled) expect(caller.ends).toBeLessThanOrEqual(1);
        else expect(caller.ends).toBe(1);
      }
    }),
    { numRuns: 400 },
  );
});
