/** The deadline header: what is read of a caller's, and what an attempt is told. */
import { describe, expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { askedTimeMs, dropDeadline, tellDeadline } from '../../../src/proxy/deadline.ts';
import { fieldsOf } from '../../kit/proxy.ts';
import { Caller, callOf, headOf } from '../../kit/upstream.ts';
import { openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const OWN = 'x-envoy-expected-rq-timeout-ms';

describe('a caller', () => {
  test.each([
    [{ [OWN]: '250' }, 250],
    [{ 'grpc-timeout': '250m' }, 250],
    [{ 'grpc-timeout': '2S' }, 2000],
    [{ 'grpc-timeout': '1H' }, 3_600_000],
    [{ 'grpc-timeout': '3M' }, 180_000],
    [{ 'grpc-timeout': '500u' }, 0.5],
    [{ [OWN]: '900', 'grpc-timeout': '1S' }, 900],
    [{ [OWN]: '900', 'grpc-timeout': '1m' }, 1],
  ])('that sends %j waits %d ms', (fields, ms) => {
    expect(askedTimeMs(fieldsOf(fields))).toBeCloseTo(ms, 9);
  });

  test.each([
    {},
    { [OWN]: '0' },
    { [OWN]: '-5' },
    { [OWN]: '1.5' },
    { [OWN]: '9999999999' },
    { [OWN]: ['1', '2'] },
    { 'grpc-timeout': '123456789m' },
    { 'grpc-timeout': '5' },
    { 'grpc-timeout': 'm' },
  ])('that sends %j has said nothing', (fields) => {
    expect(askedTimeMs(fieldsOf(fields))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('an upstream', () => {
  test('hears whole milliseconds, at least one', () => {
    const fields = fieldsOf();
    tellDeadline(fields, 1234.9);
    expect({ ...fields }).toEqual({ [OWN]: '1234' });
    tellDeadline(fields, -3);
    expect({ ...fields }).toEqual({ [OWN]: '1' });
  });

  test('hears nothing where there is no limit', () => {
    const fields = fieldsOf();
    tellDeadline(fields, Number.POSITIVE_INFINITY);
    expect({ ...fields }).toEqual({});
  });

  test.each(['application/grpc', 'application/grpc+proto', 'application/grpc-web'])(
    'that is sent %s hears it in the words of gRPC too',
    (type) => {
      const fields = fieldsOf({ 'content-type': type });
      tellDeadline(fields, 86_400_000);
      expect(fields['grpc-timeout']).toBe('86400000m');
    },
  );

  test('hears nothing of what the client claims', () => {
    const fields = fieldsOf({ [OWN]: '5', 'grpc-timeout': '1m', accept: '*/*' });
    dropDeadline(fields);
    expect({ ...fields }).toEqual({ accept: '*/*' });
  });

  test('hears at each attempt what is left by then', () => {
    const hands = openHands([specOf('a'), specOf('b')]);
    const caller = new Caller();
    hands.call.send(callOf(caller, headOf('GET'), { deadlineMs: 1000 }), caller);
    hands.clock.advance(400);
    hands.last().to.fail(gatewayError('GW_UPSTREAM_RESET'));
    expect(hands.arrivals.map((arrival) => arrival.call.head.fields[OWN])).toEqual(['1000', '600']);
  });

  test('hears the limit of the one try where that is shorter', () => {
    const hands = openHands([specOf('a')], { perTryMs: 300 });
    hands.call.send(callOf(null, headOf('GET'), { deadlineMs: 1000 }), new Caller());
    expect(hands.last().call.head.fields[OWN]).toBe('300');
  });
});
