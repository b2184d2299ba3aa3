/** Active checks on a clock moved by hand, with answers given by hand. */
import { describe, expect, test } from 'vitest';
import type { HealthOptions } from '../../../src/config/resilience-options.ts';
import { gatewayError } from '../../../src/kernel/errors.ts';
import type { Probe, ProbeDone } from '../../../src/transport/probe.ts';
import { createUpstream } from '../../../src/upstream/upstream.ts';
import type { EndpointSpec } from '../../../src/wire/endpoint.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';
import { keepingLogger } from '../../kit/plugin.ts';
import { RETRY } from '../../kit/upstream.ts';
import { closedTransport, specOf } from '../../kit/upstream-slots.ts';

const OPTIONS: HealthOptions = {
  type: 'http',
  path: '/healthz',
  port: null,
  host: null,
  headers: {},
  service: '',
  expect: [[200, 299]],
  intervalMs: 2000,
  timeoutMs: 1000,
  fall: 3,
  rise: 2,
  jitter: 0,
};

const setUp = (chance = 0) => {
  const clock = createManualClock();
  const log = keepingLogger();
  /** What each endpoint says when it is asked; without it the answer stays out. */
  const says = new Map<string, string | null>();
  const waiting = new Map<string, ProbeDone>();
  const asked: [host: string, atMs: number][] = [];
  let closed = 0;
  const probe = (spec: EndpointSpec): Probe => ({
    ask(done) {
      asked.push([spec.host, clock.nowMs()]);
      const answer = says.get(spec.host);
      if (answer === undefined) waiting.set(spec.host, done);
      else done(answer);
    },
    close: () => void closed++,
  });
  const upstream = createUpstream(
    {
      name: 'orders',
      balance: { method: 'round-robin' },
      retry: RETRY,
      health: OPTIONS,
      targets: [specOf('a'), specOf('b')],
    },
    { open: closedTransport, probe, clock, log, random: { ...createSeededRandom(1), next: () => chance } },
  );
  const [a, b] = upstream.slots;
  /** Lets checks of a and b go by; b is always well. */
  const round = (problem: string | null, count = 1) => {
    says.set('a', problem).set('b', null);
    for (let n = 0; n < count; n++) clock.advance(2000);
  };
  return { upstream, clock, log, says, waiting, asked, closed: () => closed, a: a!, b: b!, round };
};

test('a new endpoint takes traffic before it has been asked', () => {
  const { upstream, a, b, asked } = setUp();
  expect([a.available, b.available, asked.length]).toEqual([true, true, 0]);
  expect(upstream.health!.of(a)).toMatchObject({ status: 'new', passed: 0, failed: 0 });
});

test('one that has passed goes out at the third failure in a row and returns at the second pass', () => {
  const { a, b, round, upstream, log } = setUp();
  round(null);
  round('status 500', 2);
  round(null);
  round('status 500', 2);
  expect(a.available).toBe(true);
  round('status 503');
  expect([a.absences, b.available]).toEqual([['unhealthy'], true]);
  expect(upstream.health!.of(a)).toMatchObject({ status: 'down', problem: 'status 503' });
  expect(log.lines).toEqual([
    {
      level: 'warn',
      message: 'an endpoint is unhealthy',
      fields: { upstream: 'orders', endpoint: 'a:80', why: 'status 503', failed: 3 },
    },
  ]);
  round(null);
  round('status 500');
  round(null);
  expect(a.available).toBe(false);
  round(null);
  expect(a.available).toBe(true);
  expect(log.lines.at(-1)!.message).toBe('an endpoint is healthy again');
});

test('one that has never passed goes out at its first failure', () => {
  const { a, round } = setUp();
  round('GW_CONNECT_REFUSED');
  expect(a.available).toBe(false);
  round(null, 2);
  expect(a.available).toBe(true);
});

describe('the time of checks', () => {
  test('the first come soon and spread, the others by the interval from start to start', () => {
    const { clock, asked, says, waiting } = setUp(0.5);
    says.set('b', null);
    clock.advance(500);
    expect(asked).toEqual([
      ['a', 500],
      ['b', 500],
    ]);
    clock.advance(900);
    waiting.get('a')!(null);
    clock.advance(1100);
    expect(asked.slice(2)).toEqual([
      ['b', 2500],
      ['a', 2500],
    ]);
  });

  test('is spread by the jitter', () => {
    const { upstream, clock, asked, says } = setUp(1);
    says.set('a', null).set('b', null);
    upstream.update([specOf('a')], { ...upstream.options, health: { ...OPTIONS, jitter: 0.1 } });
    clock.advance(1000);
    clock.advance(2199);
    expect(asked.length).toBe(1);
    clock.advance(1);
    expect(asked.length).toBe(2);
  });

  test('nobody is asked again before the answer is there', () => {
    const { clock, asked } = setUp();
    clock.advance(60_000);
    expect(asked.map(([host]) => host)).toEqual(['a', 'b']);
  });
});

test('checks that pass again end an ejection, checks that go on passing do not', () => {
  const { upstream, a, round } = setUp();
  const outlier = { failures: 5, ejectForMs: 300_000, maxEjectForMs: 300_000 };
  upstream.update([specOf('a'), specOf('b')], { ...upstream.options, outlier });
  const fail = () => {
    for (let n = 0; n < 5; n++) upstream.outlier!.failed(a, gatewayError('GW_UPSTREAM_RESET'));
  };
  round(null);
  fail();
  round(null, 5);
  expect(a.absences).toEqual(['ejected']);
  round('status 500', 3);
  expect(a.absences).toEqual(['ejected', 'unhealthy']);
  round(null, 2);
  expect(a.absences).toEqual([]);
});

describe('a reload', () => {
  const unhealthy = () => {
    const all = setUp();
    all.round('status 500');
    expect(all.a.available).toBe(false);
    return all;
  };
  const targets = [specOf('a'), specOf('b')];

  test('with the same settings changes nothing', () => {
    const { upstream, a, closed, asked, round } = unhealthy();
    upstream.update(targets, { ...upstream.options, health: { ...OPTIONS } });
    expect([a.available, closed()]).toEqual([false, 0]);
    const before = asked.length;
    round('status 500');
    expect(asked.length).toBe(before + 2);
  });

  test('with others asks anew, and believes the old until it knows better', () => {
    const { upstream, a, clock, closed, says, round } = unhealthy();
    upstream.update(targets, { ...upstream.options, health: { ...OPTIONS, path: '/live' } });
    expect([a.available, closed()]).toEqual([false, 2]);
    says.set('a', null);
    clock.advance(1999);
    expect(a.available).toBe(false);
    round(null);
    expect(a.available).toBe(true);
  });

  test('that takes the checks away takes what they found with them', () => {
    const { upstream, a, clock, closed } = unhealthy();
    const { health: _, ...rest } = upstream.options;
    upstream.update(targets, rest);
    expect([a.available, closed(), clock.pending]).toEqual([true, 2, 0]);
  });

  test('that takes an endpoint away asks it no more', () => {
    const { upstream, clock, closed, asked, round } = unhealthy();
    upstream.update([specOf('b')]);
    const before = asked.length;
    round(null, 3);
    expect(asked.slice(before).map(([host]) => host)).toEqual(['b', 'b', 'b']);
    expect([closed(), clock.pending]).toEqual([1, 1]);
  });
});

test('closing the upstream ends all checks', async () => {
  const { upstream, clock, closed, round } = setUp();
  round(null);
  await upstream.close(0);
  expect([closed(), clock.pending]).toEqual([2, 0]);
});
