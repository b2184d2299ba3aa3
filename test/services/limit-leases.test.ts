/** `sync: leased`: never more than exact plus what was held, and what is not used goes back. */
import { expect, onTestFinished } from 'vitest';
import { Leases } from '../../plugins/_limits/leases.ts';
import { RedisLimiter } from '../../plugins/_limits/redis-limiter.ts';
import { bucket, type Window } from '../../plugins/_limits/windows.ts';
import { RedisConnection } from '../../src/clients/redis.ts';
import { readRedisUrl } from '../../src/config/redis.ts';
import type { RedisPlace } from '../../src/config/redis-place.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { keepingLogger } from '../kit/plugin.ts';
import { redisTest, startRedis } from '../kit/redis.ts';
import { watchStalls } from '../kit/stalls.ts';

async function lease(url: string, windows: readonly Window[], cost = 1) {
  const settings = { ...(readRedisUrl(url) as RedisPlace), prefix: 'test', timeoutMs: 2000 };
  const parts = { clock: systemClock, random: systemRandom, log: keepingLogger() };
  const link = new RedisConnection(settings, 'test', parts);
  await link.open();
  const limiter = new RedisLimiter(link, windows);
  const leases = new Leases({ link, limiter, windows, cost, clock: systemClock, keys: 1000 });
  onTestFinished(async () => {
    leases.close();
    await link.close();
  });
  return { leases, limiter, link };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

redisTest('four gateways together admit no more than the limit allows, and hardly less', async () => {
  const server = await startRedis();
  const [rate, burst] = [2000, 400];
  const windows = [bucket(rate, 1000, burst, '')];
  const gateways = await Promise.all([1, 2, 3, 4].map(() => lease(server.url, windows)));
  let admitted = 0;
  let synchronous = 0;
  let asked = 0;
  const stalls = watchStalls();
  const start = performance.now();
  const client = async ({ leases }: (typeof gateways)[0]) => {
    while (performance.now() - start < 1500) {
      asked++;
      const answer = leases.take('{key}');
      if (!(answer instanceof Promise)) synchronous++;
      if ((await answer)!.granted > 0) admitted++;
      // Time for everybody's answers, as a request has on its way.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(gateways.flatMap((gateway) => Array.from({ length: 10 }, () => client(gateway))));
  const seconds = (performance.now() - start) / 1000;
  const awake = seconds - stalls.heldMs() / 1000;
  stalls.stop();
  expect(admitted).toBeLessThanOrEqual(burst + rate * seconds);
  // While nobody could ask, a full bucket has run over.
  expect(admitted).toBeGreaterThanOrEqual((burst + rate * awake) * 0.8);
  console.log(`${((synchronous / asked) * 100).toFixed(0)}% of ${asked} did not wait for Redis`);
  // The busier the machine, the fewer come while tokens are here.
  expect(synchronous / asked).toBeGreaterThan(0.5);
});

redisTest('tokens that are not used go back within two seconds', async () => {
  const server = await startRedis();
  const { leases, limiter } = await lease(server.url, [bucket(1, 3_600_000, 100, '')]);
  for (let at = 0; at < 10; at++) expect((await leases.take('{key}'))!.granted).toBe(1);
  const held = 100 - 10 - (await limiter.take('{key}', 1, 200)).remaining;
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThanOrEqual(25);
  const over = performance.now() + 5000;
  while ((await limiter.take('{key}', 1, 200)).remaining !== 90 && performance.now() < over) await pause(50);
  expect((await limiter.take('{key}', 1, 200)).remaining).toBe(90);
});

redisTest('a client that asks once takes one token', async () => {
  const server = await startRedis();
  const { leases, limiter } = await lease(server.url, [bucket(1, 3_600_000, 1000, '')]);
  await leases.take('{key}');
  expect((await limiter.take('{key}', 1, 2000)).remaining).toBe(999);
});

redisTest('many at once share one way to Redis, and a refusal is believed without asking', async () => {
  const server = await startRedis();
  const { leases } = await lease(server.url, [bucket(1, 60_000, 3, '')]);
  const answers = await Promise.all(Array.from({ length: 100 }, () => leases.take('{key}')));
  expect(answers.filter((answer) => answer!.granted > 0).length).toBe(3);
  const refused = leases.take('{key}');
  expect(refused).not.toBeInstanceOf(Promise);
  expect(refused).toMatchObject({ granted: 0 });
});

redisTest('what is held is spent while Redis is gone, and then there is nobody to ask', async () => {
  const server = await startRedis();
  const { leases, link } = await lease(server.url, [bucket(1, 3_600_000, 100, '')]);
  for (let at = 0; at < 5; at++) await leases.take('{key}');
  await server.kill();
  while (link.up('{key}')) await pause(5);
  let spent = 0;
  while (leases.take('{key}') !== null) spent++;
  expect(spent).toBeGreaterThan(0);
  expect(spent).toBeLessThanOrEqual(25);
});

redisTest('a refusal tells how long it lasts, also where it is asked again sooner', async () => {
  const server = await startRedis();
  const { leases } = await lease(server.url, [bucket(1, 600_000, 1, '')]);
  expect((await leases.take('{key}'))!.granted).toBe(1);
  const asked = (await leases.take('{key}'))!;
  // Not asked again: what Redis said is believed for a second.
  const believed = leases.take('{key}')!;
  expect(believed).not.toBeInstanceOf(Promise);
  for (const { granted, waitUs } of [asked, await believed]) {
    expect(granted).toBe(0);
    expect(waitUs).toBeGreaterThan(300_000_000);
    expect(waitUs).toBeLessThanOrEqual(600_000_000);
  }
});
