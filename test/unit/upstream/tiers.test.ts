/** Which part of an upstream the next call goes to: zones, and panic. */
import { describe, expect, test } from 'vitest';
import type { Balance } from '../../../src/config/types.ts';
import { createUpstream, type Upstream } from '../../../src/upstream/upstream.ts';
import type { EndpointSpec } from '../../../src/wire/endpoint.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';
import { keepingLogger } from '../../kit/plugin.ts';
import { RETRY } from '../../kit/upstream.ts';
import { closedTransport, countBy, specOf } from '../../kit/upstream-slots.ts';

const inZone = (zone: string | null, ...hosts: string[]): EndpointSpec[] =>
  hosts.map((host) => ({ ...specOf(host), zone }));

const setUp = (
  targets: readonly EndpointSpec[],
  options: { zone?: string | null; panicBelow?: number; balance?: Balance } = {},
  log = keepingLogger(),
) => {
  const { balance = { method: 'round-robin' }, ...rest } = options;
  return createUpstream(
    { name: 'test', retry: RETRY, balance, targets, panicBelow: 0.5, ...rest },
    {
      open: closedTransport,
      clock: createManualClock(),
      random: createSeededRandom(1),
      log,
    },
  );
};

const hosts = (upstream: Upstream, count: number) =>
  Array.from({ length: count }, (_, key) => upstream.pick(key, null)?.spec.host ?? '-');

const fail = (upstream: Upstream, ...names: string[]) => {
  for (const slot of upstream.slots) slot.keepOut('unhealthy', names.includes(slot.spec.host));
};

const share = (names: readonly string[], prefix: string) =>
  names.filter((name) => name.startsWith(prefix)).length / names.length;

describe('panic', () => {
  test('begins below half, and ends when half are back', () => {
    const upstream = setUp(inZone(null, 'a', 'b', 'c', 'd'));
    fail(upstream, 'a', 'b');
    expect(new Set(hosts(upstream, 40))).toEqual(new Set(['c', 'd']));
    expect(upstream.panicking).toBe(false);
    fail(upstream, 'a', 'b', 'c');
    expect(upstream.panicking).toBe(true);
    expect(countBy(hosts(upstream, 40))).toEqual(
      new Map([
        ['a', 10],
        ['b', 10],
        ['c', 10],
        ['d', 10],
      ]),
    );
    fail(upstream, 'a', 'b');
    expect(new Set(hosts(upstream, 40))).toEqual(new Set(['c', 'd']));
  });

  test('goes by weight', () => {
    const upstream = setUp([specOf('big', 9), specOf('b'), specOf('c')]);
    fail(upstream, 'b', 'c');
    expect(new Set(hosts(upstream, 40))).toEqual(new Set(['big']));
    fail(upstream, 'big');
    expect(share(hosts(upstream, 110), 'big')).toBeCloseTo(9 / 11);
  });

  test('never gives what is full, draining, tried or just refused', () => {
    const upstream = setUp([...inZone(null, 'a', 'b', 'c', 'd', 'e', 'f', 'g'), specOf('drains', 0)]);
    fail(upstream, 'a', 'b', 'c', 'd', 'drains');
    const slot = (host: string) => upstream.slots.find((one) => one.spec.host === host)!;
    slot('a').full = true;
    upstream.refused(slot('b'));
    const tried = [slot('c')];
    const given = Array.from({ length: 70 }, () => upstream.pick(0, tried)!.spec.host);
    expect(new Set(given)).toEqual(new Set(['d', 'e', 'f', 'g']));
  });

  test('is told when it begins and when it ends, once each', () => {
    const log = keepingLogger();
    const upstream = setUp(inZone(null, 'a', 'b', 'c'), {}, log);
    fail(upstream, 'a', 'b');
    hosts(upstream, 10);
    upstream.update(inZone(null, 'a', 'b', 'c'));
    hosts(upstream, 10);
    fail(upstream);
    hosts(upstream, 10);
    expect(log.lines.map(({ message, fields }) => [message, fields])).toEqual([
      [expect.stringContaining('too few'), { upstream: 'test', available: '33%' }],
      [expect.stringContaining('enough'), { upstream: 'test', available: '100%' }],
    ]);
  });

  test('can be switched off: then only when none is left', () => {
    const upstream = setUp(inZone(null, 'a', 'b', 'c', 'd'), { panicBelow: 0 });
    fail(upstream, 'a', 'b', 'c');
    expect(new Set(hosts(upstream, 40))).toEqual(new Set(['d']));
    fail(upstream, 'a', 'b', 'c', 'd');
    expect(new Set(hosts(upstream, 40)).size).toBe(4);
  });

  test('among a thousand is noticed within an eighth of as many picks', () => {
    const upstream = setUp(inZone(null, ...Array.from({ length: 1000 }, (_, at) => `s${at}`)));
    hosts(upstream, 10);
    for (const slot of upstream.slots.slice(0, 600)) slot.keepOut('unhealthy', true);
    hosts(upstream, 125);
    const given = hosts(upstream, 1000).map((host) => Number(host.slice(1)));
    expect(given.filter((at) => at < 600).length).toBeGreaterThan(500);
  });
});

describe.each<Balance>([
  { method: 'round-robin' },
  { method: 'random' },
  { method: 'least-request' },
  { method: 'ewma', decayMs: 10_000 },
  { method: 'hash', by: 'client.address', maxLoad: null },
])('zones with $method', (balance) => {
  const here = Array.from({ length: 10 }, (_, at) => `here${at}`);
  const there = Array.from({ length: 20 }, (_, at) => `there${at}`);
  const zoned = () =>
    setUp([...inZone('eu-1', ...here), ...inZone('eu-2', ...there)], { zone: 'eu-1', balance });

  test('all calls stay in the own zone while seven tenths of it are available', () => {
    const upstream = zoned();
    expect(share(hosts(upstream, 200), 'here')).toBe(1);
    fail(upstream, ...here.slice(0, 3));
    expect(share(hosts(upstream, 200), 'here')).toBe(1);
  });

  test('with less they spill over in proportion', () => {
    const upstream = zoned();
    fail(upstream, ...here.slice(0, 6));
    const given = hosts(upstream, 4000);
    expect(share(given, 'here')).toBeGreaterThan(0.4 / 0.7 - 0.04);
    expect(share(given, 'here')).toBeLessThan(0.4 / 0.7 + 0.04);
    for (const host of here.slice(0, 6)) expect(given).not.toContain(host);
  });

  test('with none they all go elsewhere, and come back', () => {
    const upstream = zoned();
    fail(upstream, ...here);
    expect(share(hosts(upstream, 200), 'there')).toBe(1);
    fail(upstream);
    expect(share(hosts(upstream, 200), 'here')).toBe(1);
  });

  test('where the own zone is full, the others take the call', () => {
    const upstream = zoned();
    for (const slot of upstream.slots) if (slot.spec.zone === 'eu-1') slot.full = true;
    expect(share(hosts(upstream, 50), 'there')).toBe(1);
  });

  test('a retry finds the other zone when the own has been tried', () => {
    const upstream = zoned();
    const tried = upstream.slots.filter((slot) => slot.spec.zone === 'eu-1');
    expect(upstream.pick(1, tried)?.spec.zone).toBe('eu-2');
  });

  test('no zone of its own, or nobody in it, and all are as near as each other', () => {
    const targets = [...inZone('eu-1', ...here), ...inZone(null, ...there)];
    for (const zone of [null, 'us-1']) {
      const given = hosts(setUp(targets, { zone, balance }), 3000);
      expect(share(given, 'here')).toBeGreaterThan(0.25);
      expect(share(given, 'there')).toBeGreaterThan(0.55);
    }
  });
});

test('with a hash, a key that spills over always does', () => {
  const here = Array.from({ length: 10 }, (_, at) => `here${at}`);
  const upstream = setUp([...inZone('eu-1', ...here), ...inZone('eu-2', 'x', 'y', 'z')], {
    zone: 'eu-1',
    balance: { method: 'hash', by: 'client.address', maxLoad: null },
  });
  fail(upstream, ...here.slice(0, 6));
  expect(hosts(upstream, 500)).toEqual(hosts(upstream, 500));
});

test('the panic of a whole upstream leaves out a zone that is wholly down', () => {
  const upstream = setUp([...inZone('eu-1', 'a', 'b'), ...inZone('eu-2', 'c', 'd'), ...inZone('eu-3', 'e')], {
    zone: 'eu-1',
  });
  fail(upstream, 'a', 'b', 'c');
  expect(new Set(hosts(upstream, 60))).toEqual(new Set(['c', 'd', 'e']));
});
