/** The membership of an upstream: changes, refusals, panic and the end. */
import { describe, expect, test } from 'vitest';
import type { EndpointTransport, Slot } from '../../../src/upstream/slot.ts';
import { createUpstream, type UpstreamOptions } from '../../../src/upstream/upstream.ts';
import type { EndpointSpec } from '../../../src/wire/endpoint.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';
import { keepingLogger } from '../../kit/plugin.ts';
import { RETRY } from '../../kit/upstream.ts';
import { closedTransport, specOf } from '../../kit/upstream-slots.ts';

const OPTIONS: UpstreamOptions = {
  name: 'test',
  balance: { method: 'round-robin' },
  retry: RETRY,
};

const setUp = (targets: readonly EndpointSpec[], broken = '') => {
  const clock = createManualClock();
  const opened: string[] = [];
  const closed: [string, number][] = [];
  const open = (spec: EndpointSpec): EndpointTransport => {
    if (spec.host === broken) throw new Error(`no way to ${spec.host}`);
    opened.push(spec.host);
    return { ...closedTransport(), close: async (graceMs) => void closed.push([spec.host, graceMs]) };
  };
  const upstream = createUpstream(
    { ...OPTIONS, targets },
    { open, clock, random: createSeededRandom(1), log: keepingLogger() },
  );
  const hosts = (count: number) =>
    Array.from({ length: count }, () => upstream.pick(0, null)?.spec.host ?? '-').join(' ');
  const slot = (host: string): Slot => upstream.slots.find((one) => one.spec.host === host)!;
  return { upstream, clock, opened, closed, hosts, slot };
};

describe('update', () => {
  test('keeps what stays, opens what is new and drains what is gone', () => {
    const { upstream, opened, closed, slot } = setUp([specOf('a'), specOf('b')]);
    const a = slot('a');
    a.inFlight = 3;
    upstream.update([specOf('c'), specOf('a', 5)]);
    expect(upstream.slots.map((one) => [one.name, one.weight])).toEqual([
      ['c:80', 1],
      ['a:80', 5],
    ]);
    expect(slot('a')).toBe(a);
    expect(a.inFlight).toBe(3);
    expect(opened).toEqual(['a', 'b', 'c']);
    expect(closed).toEqual([['b', 0]]);
  });

  test('of new weights goes on in the same turn', () => {
    const { upstream, hosts } = setUp([specOf('a', 5), specOf('b'), specOf('c')]);
    expect(hosts(3)).toBe('a a b');
    upstream.update([specOf('a', 5), specOf('b'), specOf('c')]);
    expect(hosts(4)).toBe('a c a a');
    upstream.update([specOf('a'), specOf('b'), specOf('c')]);
    expect(hosts(6).split(' ').sort().join('')).toBe('aabbcc');
  });

  test('takes another balancer and other retries', () => {
    const { upstream, hosts } = setUp([specOf('a'), specOf('b')]);
    upstream.update([specOf('a'), specOf('b')], {
      ...OPTIONS,
      balance: { method: 'least-request' },
      retry: { ...OPTIONS.retry, budget: 0.5 },
    });
    upstream.slots[0]!.inFlight = 100;
    expect(
      hosts(20)
        .split(' ')
        .filter((host) => host === 'b').length,
    ).toBeGreaterThan(10);
    expect(upstream.options.balance.method).toBe('least-request');
    expect(upstream.budget.ratio).toBe(0.5);
  });

  test('changes nothing when an endpoint cannot be opened', () => {
    const { upstream, hosts, closed } = setUp([specOf('a', 2)], 'bad');
    const before = upstream.slots;
    expect(() => upstream.update([specOf('a', 9), specOf('b'), specOf('bad')])).toThrow('no way to bad');
    expect(upstream.slots).toBe(before);
    expect(upstream.slots[0]!.weight).toBe(2);
    expect(hosts(2)).toBe('a a');
    expect(closed.map(([host]) => host)).toEqual(['b']);
  });

  test('counts an endpoint that is named twice once, the first time', () => {
    const { upstream } = setUp([specOf('a', 2), specOf('a', 7), specOf('b')]);
    expect(upstream.slots.map((one) => [one.spec.host, one.weight])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });

  test('tells endpoints apart by scheme and port', () => {
    const { upstream } = setUp([
      specOf('a'),
      { ...specOf('a'), port: 81 },
      { ...specOf('a'), scheme: 'https' },
    ]);
    expect(upstream.slots).toHaveLength(3);
  });
});

describe('a refused endpoint', () => {
  test('is passed over for a second', () => {
    const { upstream, clock, hosts, slot } = setUp([specOf('a'), specOf('b')]);
    upstream.refused(slot('a'));
    expect(hosts(3)).toBe('b b b');
    clock.advance(999);
    expect(hosts(2)).toBe('b b');
    clock.advance(1);
    expect(hosts(2).split(' ').sort().join('')).toBe('ab');
  });

  test('is used all the same when no other is left, each in its turn', () => {
    const { upstream, hosts, slot } = setUp([specOf('a'), specOf('b'), specOf('off', 0)]);
    upstream.refused(slot('a'));
    upstream.refused(slot('b'));
    expect(hosts(20).split(' ')).toEqual(expect.arrayContaining(['a', 'b']));
    expect(hosts(20)).not.toContain('off');
    expect(upstream.pick(0, [slot('a')])).toBe(slot('b'));
    expect(upstream.pick(0, [slot('a'), slot('b')])).toBeNull();
  });

  test('is no way out while another is available, tried as it may be', () => {
    const { upstream, slot } = setUp([specOf('a'), specOf('b')]);
    upstream.refused(slot('a'));
    expect(upstream.pick(0, [slot('b')])).toBeNull();
  });

  test('that is taken away leaves no timer behind', () => {
    const { upstream, clock, slot } = setUp([specOf('a'), specOf('b')]);
    const a = slot('a');
    upstream.refused(a);
    upstream.refused(a);
    expect(clock.pending).toBe(1);
    upstream.update([specOf('b')]);
    upstream.refused(a);
    expect(clock.pending).toBe(0);
  });
});

describe('an endpoint that is taken away', () => {
  test('is closed when its calls are through', () => {
    const { upstream, clock, closed, slot } = setUp([specOf('a'), specOf('b')]);
    const a = slot('a');
    a.inFlight = 1;
    upstream.update([specOf('b')]);
    clock.advance(60_000);
    expect(closed).toEqual([]);
    a.inFlight = 0;
    clock.advance(1000);
    expect(closed).toEqual([['a', 0]]);
    expect(clock.pending).toBe(0);
  });

  test('is cut after an hour', () => {
    const { upstream, clock, closed, slot } = setUp([specOf('a'), specOf('b')]);
    slot('a').inFlight = 1;
    upstream.update([specOf('b')]);
    clock.advance(3_599_000);
    expect(closed).toEqual([]);
    clock.advance(1000);
    expect(closed).toEqual([['a', 0]]);
  });

  test('that comes back begins anew beside the old one', () => {
    const { upstream, slot, opened } = setUp([specOf('a'), specOf('b')]);
    const old = slot('a');
    old.inFlight = 1;
    upstream.update([specOf('b')]);
    upstream.update([specOf('a'), specOf('b')]);
    expect(slot('a')).not.toBe(old);
    expect(slot('a').inFlight).toBe(0);
    expect(opened).toEqual(['a', 'b', 'a']);
  });
});

test('close takes nothing more and ends everything, what drains included', async () => {
  const { upstream, clock, closed, hosts, slot } = setUp([specOf('a'), specOf('b')]);
  upstream.refused(slot('b'));
  slot('a').inFlight = 1;
  upstream.update([specOf('b')]);
  await upstream.close(50);
  expect(closed).toEqual([
    ['b', 50],
    ['a', 50],
  ]);
  expect(hosts(1)).toBe('-');
  expect(clock.pending).toBe(0);
});
