/** The script that limits in Redis: the same decisions as the arithmetic in memory, and exact whoever asks. */
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { RedisLimiter } from '../../plugins/_limits/redis-limiter.ts';
import { TAKE, windowArguments } from '../../plugins/_limits/take-script.ts';
import { bucket, EPOCH_MS, quota, type State, take, type Window } from '../../plugins/_limits/windows.ts';
import { RedisConnection } from '../../src/clients/redis.ts';
import { readRedisUrl } from '../../src/config/redis.ts';
import type { RedisPlace } from '../../src/config/redis-place.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { keepingLogger } from '../kit/plugin.ts';
import { type RedisServer, redisTest, startCluster, startRedis } from '../kit/redis.ts';

let server: RedisServer;
let client: Redis;
let stop = async (): Promise<void> => undefined;
beforeAll(async () => {
  server = await startRedis((stopping) => {
    stop = stopping;
  });
  client = new Redis(server.port);
});
afterAll(async () => {
  client.disconnect();
  await stop();
});

/** The script by a clock of the test's, its last two arguments; what it writes stays, since the server has another clock. */
const TIMED = TAKE.replace("redis.call('TIME')", '{ ARGV[#ARGV - 1], ARGV[#ARGV] }').replace(
  /, 'PX', [^\n]*\)\n/,
  ')\n',
);

const anyWindow: fc.Arbitrary<Window> = fc.oneof(
  fc
    .tuple(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.constantFrom(1000, 60_000, 86_400_000),
      fc.integer({ min: 1, max: 1000 }),
    )
    .map(([count, perMs, burst]) => bucket(count, perMs, burst, '')),
  fc
    .tuple(
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom('hour' as const, 'day' as const, 'month' as const),
    )
    .map(([limit, kind]) => quota(limit, kind, '')),
);

const anyCall = fc.record({
  pauseUs: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 0, max: 5_000_000 }),
    fc.integer({ min: 0, max: 40 * 86_400_000_000 }),
  ),
  want: fc.integer({ min: -5, max: 20 }),
  spread: fc.integer({ min: 0, max: 5 }),
});

redisTest('decides as the arithmetic in memory does, for every sequence of calls', async () => {
  expect(TIMED).not.toMatch(/TIME|PX/);
  let run = 0;
  const windowsOf = fc.array(anyWindow, { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(windowsOf, fc.array(anyCall, { minLength: 1, maxLength: 40 }), async (windows, list) => {
      const key = `vector ${run++}`;
      const state: State = [];
      let us = 1_000_000_000;
      for (const { pauseUs, want, spread } of list) {
        us += pauseUs;
        const least = want > 0 ? Math.max(1, want - spread) : want;
        const seconds = Math.floor(us / 1e6) + EPOCH_MS / 1000;
        const args = [want, least, ...windowArguments(windows), seconds, us % 1e6];
        const reply = await client.eval(TIMED, 1, key, ...args);
        const { granted, waitUs, tightest, remaining, resetUs, idleUs } = take(
          windows,
          state,
          { steadyUs: us, wallUs: us },
          [want, least],
        );
        const up = Math.ceil;
        expect(String(reply).split(' ').map(Number)).toEqual([
          granted,
          up(waitUs),
          tightest,
          remaining,
          up(resetUs),
          up(idleUs),
        ]);
      }
    }),
    { numRuns: 150 },
  );
});

async function connect(url: string): Promise<RedisConnection> {
  const settings = { ...(readRedisUrl(url) as RedisPlace), prefix: 'test', timeoutMs: 2000 };
  const parts = { clock: systemClock, random: systemRandom, log: keepingLogger() };
  const redis = new RedisConnection(settings, 'test', parts);
  onTestFinished(() => redis.close());
  await redis.open();
  return redis;
}

/** Four gateways ask for one key for a second, each with many requests at once; gives what was admitted, and how long. */
async function storm(url: string, windows: readonly Window[], key: string) {
  const limiters = await Promise.all(
    [1, 2, 3, 4].map(async () => new RedisLimiter(await connect(url), windows)),
  );
  let admitted = 0;
  let asked = 0;
  const start = performance.now();
  const client = async (limiter: RedisLimiter) => {
    while (performance.now() - start < 1000) {
      asked++;
      if ((await limiter.take(key, 1, 1)).granted > 0) admitted++;
    }
  };
  await Promise.all(limiters.flatMap((limiter) => Array.from({ length: 50 }, () => client(limiter))));
  return { admitted, asked, seconds: (performance.now() - start) / 1000 };
}

const STORMS: [rate: number, burst: number][] = [
  [1000, 10],
  [100, 5],
  [50, 250],
  [5, 1],
];
for (const [rate, burst] of STORMS) {
  redisTest(`four gateways together admit no more than ${burst} + ${rate}/s`, async () => {
    const windows = [bucket(rate, 1000, burst, '')];
    const { admitted, asked, seconds } = await storm(server.url, windows, `{storm ${rate}}`);
    expect(asked).toBeGreaterThan(1000);
    expect(admitted).toBeLessThanOrEqual(burst + rate * seconds);
    // In one process the calls come in lumps, and a small bucket runs over between them.
    expect(admitted).toBeGreaterThanOrEqual(burst + rate * 0.3);
  });
}

redisTest('a bucket is forgotten when it would be full, and not sooner', async () => {
  const limiter = new RedisLimiter(await connect(server.url), [bucket(10, 1000, 100, '')]);
  await limiter.take('{slow}', 20, 20);
  const ttlMs = await client.pttl('{slow}');
  expect(ttlMs).toBeGreaterThan(1500);
  expect(ttlMs).toBeLessThanOrEqual(2000);
});

redisTest('a stock limiter on the same connection changes nothing', async () => {
  const { RateLimiterRedis } = await import('rate-limiter-flexible');
  const redis = await connect(server.url);
  const limiter = new RedisLimiter(redis, [bucket(1, 1000, 2, '')]);
  const stock = new RateLimiterRedis({ storeClient: redis.client, points: 100, duration: 60 });
  await stock.consume('key');
  expect((await limiter.take('{stock}', 1, 1)).remaining).toBe(1);
  expect((await limiter.take('{stock}', 1, 1)).remaining).toBe(0);
  expect((await limiter.take('{stock}', 1, 1)).granted).toBe(0);
});

redisTest('tokens given back are there again', async () => {
  const limiter = new RedisLimiter(await connect(server.url), [bucket(1, 60_000, 5, '')]);
  expect((await limiter.take('{back}', 5, 5)).granted).toBe(5);
  expect((await limiter.take('{back}', 1, 1)).granted).toBe(0);
  await limiter.giveBack('{back}', 3);
  expect((await limiter.take('{back}', 5, 1)).granted).toBe(3);
});

redisTest('a Cluster of three is as exact as one server', async () => {
  const { url } = await startCluster();
  const { admitted, seconds } = await storm(url, [bucket(500, 1000, 20, '')], '{cluster}');
  expect(admitted).toBeLessThanOrEqual(20 + 500 * seconds);
  expect(admitted).toBeGreaterThanOrEqual(20 + 500 * 0.3);
});
