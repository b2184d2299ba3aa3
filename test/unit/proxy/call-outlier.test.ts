/** What the attempts of calls tell about their endpoint. */
import { expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { HUNG_MS } from '../../../src/upstream/outlier.ts';
import type { Call } from '../../../src/wire/transport.ts';
import { RecordSink } from '../../kit/proxy.ts';
import { Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { HandBody, openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const setUp = () => {
  const outlier = { failures: 1000, ejectForMs: 30_000, maxEjectForMs: 300_000 };
  const hands = openHands([specOf('a'), specOf('b')], {}, undefined, { outlier });
  return {
    ...hands,
    begin(change: Partial<Call> = {}) {
      const caller = new Caller();
      const flight = hands.call.send(callOf(caller, headOf('GET'), change), caller);
      return { flight, arrival: hands.last() };
    },
    /** Good and bad attempts at a, then at b. */
    told: () => hands.upstream.slots.flatMap(({ record }) => [record.good, record.bad]),
  };
};

test('each attempt speaks for its own endpoint', () => {
  const { begin, last, told } = setUp();
  begin().arrival.to.fail(gatewayError('GW_UPSTREAM_RESET'));
  last().answer(200).into!.end(null);
  expect(told()).toEqual([0, 1, 1, 0]);
});

test('a status that is tried again counts like any other', () => {
  const { begin, last, told } = setUp();
  begin().arrival.answer(503);
  last().answer(404).into!.end(null);
  expect(told()).toEqual([0, 1, 1, 0]);
});

test('a good head with a body that breaks off is a failure, and no success before it', () => {
  const { begin, told } = setUp();
  begin().arrival.answer(200).into!.fail(gatewayError('GW_UPSTREAM_CUT'));
  expect(told()).toEqual([0, 1, 0, 0]);
});

test('a client that leaves counts only after a wait', () => {
  const { begin, told, clock } = setUp();
  const early = begin();
  clock.advance(HUNG_MS - 1);
  early.flight.cancel(LEFT);
  const late = begin();
  clock.advance(HUNG_MS);
  late.flight.cancel(LEFT);
  expect(told()).toEqual([0, 0, 0, 1]);
});

test('nothing is told of an endpoint that still waits for the request', () => {
  const { begin, told, clock } = setUp();
  const left = begin({ body: new HandBody() });
  left.arrival.call.body!.read(new RecordSink());
  clock.advance(60_000);
  left.flight.cancel(LEFT);
  const late = begin({ body: new HandBody() });
  late.arrival.call.body!.read(new RecordSink());
  late.arrival.to.fail(gatewayError('GW_TIMEOUT'));
  expect(told()).toEqual([0, 0, 0, 0]);
});

test('a client that leaves in the middle of a body says nothing about the endpoint', () => {
  const { begin, told } = setUp();
  const { arrival, flight } = begin();
  arrival.answer(200);
  flight.cancel(LEFT);
  expect(told()).toEqual([0, 0, 0, 0]);
});

test('an upgrade that opens is a success', () => {
  const { call, last, told } = setUp();
  call.connect(callOf(null, headOf('GET')), { open() {}, refuse() {}, fail() {} });
  last().open();
  expect(told()).toEqual([1, 0, 0, 0]);
});
