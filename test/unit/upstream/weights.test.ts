/** Weights that change with time: slow start. */
import { describe, expect, test } from 'vitest';
import { createUpstream, type UpstreamOptions } from '../../../src/upstream/upstream.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';
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
  const parts = { open: closedTransport, clock, random: createSeededRandom(1) };
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
