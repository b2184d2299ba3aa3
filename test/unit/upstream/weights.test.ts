/** Weights that change with time: slow start, and load that endpoints report. */
import { describe, expect, test } from 'vitest';
import { createUpstream, type UpstreamOptions } from '../../../src/upstream/upstream.ts';
import type { EndpointSpec } from '../../../src/wire/endpoint.ts';
import { createFields } from '../../../src/wire/fields.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';
import { keepingLogger } from '../../kit/plugin.ts';
import { RETRY } from '../../kit/upstream.ts';
import { closedTransport, specOf } from '../../kit/upstream-slots.ts';

const OPTIONS: UpstreamOptions = {
  name: 'test',
  balance: { method: 'round-robin' },
  retry: RETRY,
  slowStartMs: 10_000,
};

const setUp = (targets: UpstreamOptions['targets'], options: Partial<UpstreamOptions> = {}) => {
  const clock = createManualClock();
  const parts = { open: closedTransport, clock, random: createSeededRandom(1), log: keepingLogger() };
  const upstream = createUpstream({ ...OPTIONS, ...options, ...(targets && { targets }) }, parts);
  const weights = () =>
    Object.fromEntries(upstream.slots.map((slot) => [slot.spec.host, Number(slot.weight.toFixed(3))]));
  return { clock, upstream, weights };
};

describe('slow start', () => {
  test('gives a newcomer a tenth at once, then as much as its time, then all', () => {
    const { clock, upstream, weights } = setUp([specOf('a', 2)]);
    upstream.update([specOf('a', 2), specOf('b', 4)]);
    expect(weights()).toEqual({ a: 2, b: 0.4 });
    clock.advance(500);
    expect(weights()).toEqual({ a: 2, b: 0.4 });
    clock.advance(4500);
    expect(weights()).toEqual({ a: 2, b: 2 });
    clock.advance(5000);
    expect(weights()).toEqual({ a: 2, b: 4 });
    clock.advance(60_000);
    expect(weights()).toEqual({ a: 2, b: 4 });
  });

  test('spares the first membership, whether the file or a registry brings it', () => {
    expect(setUp([specOf('a'), specOf('b')]).weights()).toEqual({ a: 1, b: 1 });
    const { upstream, weights } = setUp(undefined);
    upstream.update([]);
    upstream.update([specOf('a'), specOf('b')]);
    expect(weights()).toEqual({ a: 1, b: 1 });
  });

  test('begins again for an endpoint that was away', () => {
    const { clock, upstream, weights } = setUp([specOf('a'), specOf('b')]);
    upstream.slots[1]!.keepOut('unhealthy', true);
    clock.advance(20_000);
    upstream.slots[1]!.keepOut('unhealthy', false);
    clock.advance(500);
    expect(weights()).toEqual({ a: 1, b: 0.1 });
    clock.advance(9500);
    expect(weights()).toEqual({ a: 1, b: 1 });
  });

  test('goes on through a change of membership, with the new weight', () => {
    const { clock, upstream, weights } = setUp([specOf('a')]);
    upstream.update([specOf('a'), specOf('b')]);
    clock.advance(5000);
    upstream.update([specOf('a'), specOf('b', 3), specOf('c')]);
    expect(weights()).toEqual({ a: 1, b: 1.5, c: 0.1 });
  });

  test('of zero weight stays zero: a draining endpoint takes nothing', () => {
    const { upstream, weights } = setUp([specOf('a')]);
    upstream.update([specOf('a'), specOf('b', 0)]);
    expect(weights()).toEqual({ a: 1, b: 0 });
  });

  test('switched off by a reload, all have their whole weight at once', () => {
    const { clock, upstream, weights } = setUp([specOf('a')]);
    upstream.update([specOf('a'), specOf('b')]);
    upstream.update([specOf('a'), specOf('b')], { ...OPTIONS, slowStartMs: 0 });
    expect(weights()).toEqual({ a: 1, b: 1 });
    expect(clock.pending).toBe(0);
  });

  test('leaves no timer behind', async () => {
    const { clock, upstream } = setUp([specOf('a')]);
    expect(clock.pending).toBe(1);
    await upstream.close(0);
    expect(clock.pending).toBe(0);
    expect(setUp([specOf('a')], { slowStartMs: 0 }).clock.pending).toBe(0);
  });
});

describe('weights that follow the load', () => {
  const HEADER = 'endpoint-load-metrics';
  const loaded = (...targets: EndpointSpec[]) => {
    const set = setUp(targets, { balance: { method: 'weighted', header: HEADER }, slowStartMs: 0 });
    /** An answer with a report; gives the fields that go on to the client. */
    const report = (host: string, text: string | null) => {
      const fields = createFields();
      fields['content-type'] = 'text/plain';
      if (text !== null) fields[HEADER] = text;
      const slot = set.upstream.slots.find((one) => one.spec.host === host)!;
      slot.feedback!.answered(5, { status: 200, fields });
      return fields;
    };
    /** The same reports again and again for a while. */
    const run = (ms: number, texts: Readonly<Record<string, string | null>>) => {
      for (let at = 0; at < ms; at += 500) {
        for (const [host, text] of Object.entries(texts)) report(host, text);
        set.clock.advance(500);
      }
    };
    return { ...set, report, run };
  };

  test('go by rate over utilization, and keep the sum of the static weights', () => {
    const { run, weights } = loaded(specOf('a'), specOf('b'));
    run(30_000, { a: 'rps=100,cpu=0.8', b: 'rps=100,cpu=0.2' });
    expect(weights()).toEqual({ a: 0.4, b: 1.6 });
  });

  test('move little by little', () => {
    const { run, weights } = loaded(specOf('a'), specOf('b'));
    run(10_000, { a: 'rps=100,cpu=0.5', b: 'rps=100,cpu=0.5' });
    run(500, { a: 'rps=100,cpu=0.9', b: 'rps=100,cpu=0.5' });
    expect(weights().a).toBeGreaterThan(0.9);
    expect(weights().a).toBeLessThan(1);
  });

  test('count errors as utilization', () => {
    const { run, weights } = loaded(specOf('a'), specOf('b'));
    run(30_000, { a: 'rps=100,cpu=0.5,eps=50', b: 'rps=100,cpu=0.5' });
    expect(weights()).toEqual({ a: 0.667, b: 1.333 });
  });

  test('never fall below a tenth of the mean', () => {
    const { run, weights } = loaded(...['a', 'b', 'c'].map((host) => specOf(host)));
    run(60_000, { a: 'rps=1,cpu=1', b: 'rps=1000,cpu=1', c: 'rps=1000,cpu=1' });
    expect(weights().a).toBe(0.1);
  });

  test('never give more than ten times the mean to one of many', () => {
    const specs = Array.from({ length: 30 }, (_, at) => specOf(`s${at}`));
    const { run, weights } = loaded(...specs);
    const texts = Object.fromEntries(specs.map(({ host }) => [host, 'rps=1,cpu=1']));
    run(30_000, { ...texts, s0: 'rps=100000,cpu=1' });
    expect(weights().s0).toBe(10);
  });

  test('leave those who report nothing at their static weight', () => {
    const { run, weights } = loaded(specOf('a'), specOf('b'), specOf('silent', 2), specOf('drains', 0));
    run(30_000, { a: 'rps=100,cpu=0.8', b: 'rps=100,cpu=0.2', silent: null });
    expect(weights()).toEqual({ a: 0.4, b: 1.6, silent: 2, drains: 0 });
  });

  test('fade back to the static ones once reports are stale', () => {
    const { run, weights } = loaded(specOf('a'), specOf('b'));
    const both = { a: 'rps=100,cpu=0.8', b: 'rps=100,cpu=0.2' };
    run(30_000, both);
    run(10_000, { a: null, b: null });
    expect(weights()).toEqual({ a: 0.4, b: 1.6 });
    run(10_000, { a: null, b: null });
    expect(weights()).toEqual({ a: 0.7, b: 1.3 });
    run(10_000, { a: null, b: null });
    expect(weights()).toEqual({ a: 1, b: 1 });
    run(500, both);
    expect(weights()).toEqual({ a: 0.4, b: 1.6 });
  });

  test('take the rate of our own calls where none is told', () => {
    const { clock, report, weights } = loaded(specOf('a'), specOf('b'));
    for (let tick = 0; tick < 60; tick++) {
      for (let n = 0; n < 30; n++) report('a', 'cpu=0.5');
      for (let n = 0; n < 10; n++) report('b', 'cpu=0.5');
      clock.advance(500);
    }
    expect(weights()).toEqual({ a: 1.5, b: 0.5 });
  });

  test('take it over the time between reports, so that few calls are few', () => {
    const { clock, report, weights } = loaded(specOf('a'), specOf('b'));
    for (let tick = 0; tick < 120; tick++) {
      report('a', 'cpu=0.5');
      if (tick % 3 === 0) report('b', 'cpu=0.5');
      clock.advance(500);
    }
    expect(weights().a).toBeCloseTo(1.5, 1);
    expect(weights().b).toBeCloseTo(0.5, 1);
  });

  test('ignore rubbish', () => {
    const { run, weights } = loaded(specOf('a'), specOf('b'));
    run(10_000, { a: 'cpu=very', b: 'JSON {"cpu_utilization":"' });
    expect(weights()).toEqual({ a: 1, b: 1 });
  });

  test('are none of the clients business: the report is taken out of the answer', () => {
    const { report } = loaded(specOf('a'));
    expect(Object.keys(report('a', 'cpu=0.5'))).toEqual(['content-type']);
  });

  test('end with the balancer', () => {
    const { clock, run, upstream, weights } = loaded(specOf('a'), specOf('b'));
    run(30_000, { a: 'rps=100,cpu=0.8', b: 'rps=100,cpu=0.2' });
    upstream.update([specOf('a'), specOf('b')], { ...OPTIONS, slowStartMs: 0 });
    expect(weights()).toEqual({ a: 1, b: 1 });
    expect(upstream.slots[0]!.feedback).toBeNull();
    expect(clock.pending).toBe(0);
  });

  test('outlive a change of membership', () => {
    const { run, upstream, weights } = loaded(specOf('a'), specOf('b'));
    run(30_000, { a: 'rps=100,cpu=0.8', b: 'rps=100,cpu=0.2' });
    upstream.update([specOf('a'), specOf('b'), specOf('c')]);
    expect(weights()).toEqual({ a: 0.4, b: 1.6, c: 1 });
  });
});
