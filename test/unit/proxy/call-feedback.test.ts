/** What a balancer hears of attempts, and how a call comes back to an endpoint that it knows. */
import { describe, expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import type { Feedback } from '../../../src/upstream/slot.ts';
import type { Body, Sink } from '../../../src/wire/body.ts';
import { createFields } from '../../../src/wire/fields.ts';
import type { Call } from '../../../src/wire/transport.ts';
import { Caller, callOf, headOf, LEFT } from '../../kit/upstream.ts';
import { openHands } from '../../kit/upstream-hands.ts';
import { specOf } from '../../kit/upstream-slots.ts';

const setUp = (...hosts: string[]) => {
  const hands = openHands(
    hosts.map((host) => specOf(host)),
    {},
    undefined,
    { sticky: { cookie: 'place', ttlMs: null, secret: 'of the tests' } },
  );
  const heard: string[] = [];
  for (const slot of hands.upstream.slots) {
    const feedback: Feedback = {
      answered: (tookMs, head) => void heard.push(`${slot.spec.host} answered ${head.status} in ${tookMs}`),
      failed: (tookMs) => void heard.push(`${slot.spec.host} failed in ${tookMs}`),
      abandoned: (tookMs) => void heard.push(`${slot.spec.host} abandoned after ${tookMs}`),
    };
    slot.feedback = feedback;
  }
  const begin = (method = 'GET', change: Partial<Call> = {}) =>
    hands.call.send(callOf(null, headOf(method), change), new Caller());
  return { ...hands, heard, begin };
};

describe('feedback', () => {
  test('of an answer comes with its head, once', () => {
    const { begin, clock, heard, last } = setUp('a');
    begin();
    clock.advance(30);
    const body = last().answer(200);
    clock.advance(500);
    body.into?.end(null);
    expect(heard).toEqual(['a answered 200 in 30']);
  });

  test('of each try comes for itself', () => {
    const { begin, clock, heard, last } = setUp('a', 'b');
    begin();
    clock.advance(10);
    last().to.fail(gatewayError('GW_UPSTREAM_RESET'));
    clock.advance(20);
    last().answer(200);
    expect(heard).toEqual(['a failed in 10', 'b answered 200 in 20']);
  });

  test('of an answer that is thrown away for another try comes too', () => {
    const { begin, heard, last } = setUp('a', 'b');
    begin();
    last().answer(503);
    last().answer(200);
    expect(heard).toEqual(['a answered 503 in 0', 'b answered 200 in 0']);
  });

  test('of an answer that nobody waits for any longer says how long nothing came', () => {
    const { begin, clock, heard } = setUp('a');
    const flight = begin();
    clock.advance(900);
    flight.cancel(LEFT);
    expect(heard).toEqual(['a abandoned after 900']);
  });

  test('says nothing of an endpoint when the client leaves after the head', () => {
    const { begin, heard, last } = setUp('a');
    const flight = begin();
    last().answer(200);
    flight.cancel(LEFT);
    expect(heard).toEqual(['a answered 200 in 0']);
  });

  test('says nothing of an endpoint when the fault is ours', () => {
    const { begin, heard, last } = setUp('a');
    begin();
    last().to.fail(gatewayError('GW_QUEUE_FULL'));
    expect(heard).toEqual([]);
  });

  test('counts from the end of the upload', () => {
    const { begin, clock, heard, last } = setUp('a');
    let client: Sink | null = null;
    const upload: Body = {
      length: null,
      read(into) {
        client = into;
      },
      cancel() {},
    };
    begin('POST', { body: upload });
    last().call.body!.read({ ready: null, write: () => true, end() {}, fail() {} });
    clock.advance(5000);
    client!.write(Buffer.from('slow'));
    clock.advance(5000);
    client!.end(null);
    clock.advance(40);
    last().answer(200);
    expect(heard).toEqual(['a answered 200 in 40']);
  });

  test('of an upgrade comes with its 101', () => {
    const { call, clock, heard, last } = setUp('a');
    const to = { inform() {}, open() {}, refuse() {}, fail() {} };
    call.connect(callOf(null, headOf('GET'), {}), to);
    clock.advance(15);
    last().open();
    expect(heard).toEqual(['a answered 101 in 15']);
  });
});

describe('a call that knows its endpoint', () => {
  test('goes there, and elsewhere when that is away, full or draining', () => {
    const { begin, last, upstream } = setUp('a', 'b', 'c');
    const b = upstream.slots[1]!;
    const stick = upstream.tagOf(b.name)!;
    const host = () => {
      begin('GET', { stick });
      last().answer(200, createFields()).into?.end(null);
      return last().host;
    };
    for (let n = 0; n < 4; n++) expect(host()).toBe('b');
    b.keepOut('ejected', true);
    expect(host()).not.toBe('b');
    b.keepOut('ejected', false);
    b.full = true;
    expect(host()).not.toBe('b');
    b.full = false;
    expect(host()).toBe('b');
    upstream.update([specOf('a'), specOf('b', 0), specOf('c')]);
    expect(host()).not.toBe('b');
  });

  test('waits like any other when the whole upstream is full', () => {
    const { arrivals, begin, upstream } = setUp('a', 'b');
    upstream.update([specOf('a'), specOf('b')], {
      ...upstream.options,
      concurrency: { endpoint: 10, upstream: 1, adaptive: null, streams: 10, queue: 5, queueTimeoutMs: 1000 },
    });
    const stick = upstream.tagOf('b:80');
    begin('GET', { stick });
    begin('GET', { stick });
    expect(arrivals).toHaveLength(1);
  });

  test('is tried elsewhere when that fails', () => {
    const { begin, arrivals, last, upstream } = setUp('a', 'b');
    begin('GET', { stick: upstream.tagOf(upstream.slots[1]!.name) });
    last().to.fail(gatewayError('GW_UPSTREAM_RESET'));
    expect(arrivals.map(({ host }) => host)).toEqual(['b', 'a']);
  });

  test('has a tag that is another in every upstream and with every secret', () => {
    const tag = (name: string, secret: string) =>
      openHands([specOf('a')], {}, undefined, {
        name,
        sticky: { cookie: 'place', ttlMs: null, secret },
      }).upstream.tagOf('a:80');
    const tags = [tag('x', 'one'), tag('y', 'one'), tag('x', 'two'), tag('x', 'one')];
    expect(new Set(tags).size).toBe(3);
    expect(tags[0]).toBe(tags[3]);
  });
});
