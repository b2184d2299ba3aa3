/** The limit that follows latency, before a service that is played: so many workers, so long a call. */
import { expect, test } from 'vitest';
import { AdaptiveLimit } from '../../../src/upstream/adaptive-limit.ts';
import { createManualClock, createSeededRandom } from '../../kit/clock.ts';

const OPTIONS = { tolerance: 0.25, min: 8 };
const STEP_MS = 5;

/** A service with workers and a queue of its own, asked by as many as are let. */
const play = () => {
  const clock = createManualClock();
  const random = createSeededRandom(7);
  const limiter = new AdaptiveLimit(OPTIONS, { clock, random });
  let inFlight: { readonly since: number; done: number }[] = [];
  const service = { workers: 20, tookMs: 50 };
  const busyUntil: number[] = [];
  const run = (seconds: number, demand = Number.POSITIVE_INFINITY) => {
    let answered = 0;
    let waitedMs = 0;
    let limits = 0;
    const steps = (seconds * 1000) / STEP_MS;
    for (let step = 0; step < steps; step++) {
      const now = clock.nowMs();
      const over = inFlight.filter(({ done }) => done <= now);
      inFlight = inFlight.filter(({ done }) => done > now);
      for (const { since } of over) {
        limiter.sample(now - since);
        waitedMs += now - since;
      }
      answered += over.length;
      while (inFlight.length < Math.min(limiter.limit, demand)) {
        busyUntil.length = Math.min(busyUntil.length, service.workers);
        while (busyUntil.length < service.workers) busyUntil.push(0);
        const free = busyUntil.indexOf(Math.min(...busyUntil));
        const done = Math.max(now, busyUntil[free]!) + service.tookMs * (0.8 + 0.4 * random.next());
        busyUntil[free] = done;
        inFlight.push({ since: now, done });
        limiter.took(inFlight.length);
      }
      limits += limiter.limit;
      clock.advance(STEP_MS);
    }
    return { perSecond: answered / seconds, meanMs: waitedMs / answered, limit: limits / steps };
  };
  return { limiter, service, run };
};

test('finds what a service carries: nearly all of its best, at a latency near its own', () => {
  const { run } = play();
  run(10);
  const { perSecond, meanMs, limit } = run(20);
  // 20 workers, 50 ms each: 400 a second at best.
  expect(perSecond).toBeGreaterThan(0.93 * 380);
  expect(meanMs).toBeLessThan(50 * 2);
  expect(limit).toBeGreaterThan(18);
  expect(limit).toBeLessThan(45);
});

test('does not drift in ten minutes of pressure', () => {
  const { run } = play();
  run(600);
  const { perSecond, meanMs, limit } = run(30);
  expect(limit).toBeLessThan(50);
  expect(meanMs).toBeLessThan(50 * 2.2);
  expect(perSecond).toBeGreaterThan(0.9 * 380);
});

test('follows a service that loses half of its workers, and that gets them back', () => {
  const { service, run } = play();
  run(30);
  service.workers = 10;
  run(5);
  const less = run(20);
  expect(less.limit).toBeLessThan(30);
  expect(less.meanMs).toBeLessThan(50 * 2.5);
  service.workers = 40;
  run(20);
  expect(run(20).perSecond).toBeGreaterThan(0.85 * 760);
});

test('takes a service that has become slower for what it is after a minute', () => {
  const { service, run } = play();
  run(30);
  service.tookMs = 150;
  run(90);
  const { perSecond } = run(20);
  expect(perSecond).toBeGreaterThan(0.85 * (20 / 0.15));
});

test('does not grow where nobody asks for more', () => {
  const { limiter, run } = play();
  run(60, 4);
  expect(limiter.limit).toBe(8);
});

test('never falls below its least', () => {
  const { service, limiter, run } = play();
  run(5);
  service.workers = 1;
  run(10);
  expect(limiter.limit).toBe(8);
});
