/** The connection to Redis under every way that Redis can fail: who asks gets an answer or an error in time. */
import { expect, onTestFinished } from 'vitest';
import { RedisConnection } from '../../src/clients/redis.ts';
import { readRedisUrl } from '../../src/config/redis.ts';
import type { RedisPlace } from '../../src/config/redis-place.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { until } from '../kit/gateway.ts';
import { keepingLogger } from '../kit/plugin.ts';
import { freePort, redisTest, startCluster, startRedis, startSentinels } from '../kit/redis.ts';
import { startRelay } from '../kit/relay.ts';
import { watchStalls } from '../kit/stalls.ts';

const TIMEOUT_MS = 20;
/** What a busy machine may add to it. */
const LONGEST_MS = TIMEOUT_MS + 80;

async function open(url: string): Promise<{ redis: RedisConnection; log: ReturnType<typeof keepingLogger> }> {
  const log = keepingLogger();
  const settings = { ...(readRedisUrl(url) as RedisPlace), prefix: 'test', timeoutMs: TIMEOUT_MS };
  const redis = new RedisConnection(settings, 'test', { clock: systemClock, random: systemRandom, log });
  onTestFinished(() => redis.close());
  await redis.open();
  return { redis, log };
}

/**
 * Counts on a key, as a limit would; gives the milliseconds until there was an answer or an error, without those for
 * which the machine let nothing of this process run.
 */
async function count(redis: RedisConnection, key = 'counter'): Promise<number> {
  if (!redis.up(key)) return 0;
  const stalls = watchStalls();
  const start = performance.now();
  await redis.within(key, redis.client.incr(key)).catch(() => undefined);
  const tookMs = performance.now() - start - stalls.heldMs();
  stalls.stop();
  return tookMs;
}

/** Asks until there is nothing more to ask; gives the longest that one had to wait. */
async function askUntil(redis: RedisConnection, isUp: boolean, key = 'counter'): Promise<number> {
  let longest = 0;
  const over = performance.now() + 10_000;
  while (redis.up(key) !== isUp) {
    if (performance.now() > over)
      throw new Error(`Redis never was ${isUp ? 'up' : 'down'}: ${redis.trouble}`);
    longest = Math.max(longest, await count(redis, key));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return longest;
}

redisTest(
  'a start without Redis comes back in about a second, and Redis is used when it appears',
  async () => {
    const port = await freePort();
    const start = performance.now();
    const { redis, log } = await open(`redis://127.0.0.1:${port}`);
    expect(performance.now() - start).toBeLessThan(2000);
    expect(redis.up('counter')).toBe(false);
    expect(log.lines.map((line) => line.level)).toEqual(['warn']);
  },
);

redisTest('a killed Redis is told at once, and used again when it is back', async () => {
  const server = await startRedis();
  const { redis, log } = await open(server.url);
  expect(redis.trouble).toBeNull();
  await server.kill();
  expect(await askUntil(redis, false)).toBeLessThan(LONGEST_MS);
  expect(redis.trouble).toContain('not connected');
  await server.restart();
  const start = performance.now();
  await askUntil(redis, true);
  expect(performance.now() - start).toBeLessThan(2000);
  expect(log.lines.map((line) => line.level).join()).toMatch(/^(warn,info,?)+$/);
});

redisTest('a frozen Redis costs three waits, then nobody waits until it has thawed', async () => {
  const server = await startRedis();
  const { redis, log } = await open(server.url);
  server.freeze();
  expect(await askUntil(redis, false)).toBeLessThan(LONGEST_MS);
  expect(redis.trouble).toContain('does not answer within 20 ms');
  for (let at = 0; at < 100; at++) expect(await count(redis)).toBe(0);
  server.thaw();
  await askUntil(redis, true);
  expect(log.lines.map((line) => line.level).join()).toMatch(/^(warn,info,?)+$/);
});

redisTest('behind a broken network the connection is made anew', async () => {
  const server = await startRedis();
  const relay = await startRelay(server.port);
  const { redis } = await open(`redis://127.0.0.1:${relay.port}`);
  relay.swallow();
  await askUntil(redis, false);
  // Longer than a connection is kept that does not answer, so that new ones are swallowed too.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  relay.pass();
  const start = performance.now();
  await askUntil(redis, true);
  expect(performance.now() - start).toBeLessThan(2500);
});

redisTest('a slow Redis is left alone until it is quick again', async () => {
  const server = await startRedis();
  const relay = await startRelay(server.port);
  const { redis } = await open(`redis://127.0.0.1:${relay.port}`);
  relay.delayMs = 500;
  expect(await askUntil(redis, false)).toBeLessThan(LONGEST_MS);
  relay.delayMs = 0;
  await askUntil(redis, true);
});

redisTest('Sentinels lead to the new master', async () => {
  const { master, replica, url } = await startSentinels();
  const { redis } = await open(url);
  expect(redis.up('counter')).toBe(true);
  await count(redis);
  await master.kill();
  expect(await askUntil(redis, false)).toBeLessThan(LONGEST_MS);
  await askUntil(redis, true);
  await redis.client.set('counter', 'new');
  expect(await replica.cli('get', 'counter')).toBe('new');
});

redisTest('one node of a Cluster that is gone keeps nobody from the others', async () => {
  const { nodes, url } = await startCluster();
  const { redis } = await open(url);
  const keys = new Map<number, string>();
  for (let at = 0; keys.size < 3; at++) {
    const key = `{${at}}`;
    await redis.client.set(key, at);
    for (const [index, node] of nodes.entries())
      if ((await node.cli('get', key)) === String(at) && !keys.has(index)) keys.set(index, key);
  }
  nodes[0]!.freeze();
  expect(await askUntil(redis, false, keys.get(0)!)).toBeLessThan(LONGEST_MS);
  // Longer than a silent connection is kept.
  const over = performance.now() + 2500;
  const answered = { yes: 0, no: 0 };
  while (performance.now() < over) {
    for (const key of [keys.get(1)!, keys.get(2)!]) {
      const isUp = redis.up(key);
      const answer =
        isUp &&
        (await redis.within(key, redis.client.incr(key)).then(
          () => true,
          () => false,
        ));
      answered[answer ? 'yes' : 'no']++;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // A busy machine may keep one out for some tenths of a second; whoever was kept out by the first would be all along.
  expect(answered.no).toBeLessThan(answered.yes * 0.3);
  nodes[0]!.thaw();
  await askUntil(redis, true, keys.get(0)!);
});

redisTest('the processes on one Redis count themselves', async () => {
  const server = await startRedis();
  const first = await open(server.url);
  const second = await open(server.url);
  await until(() => first.redis.nodes === 2 && second.redis.nodes === 2, 'two nodes');
  await second.redis.close();
  await until(() => first.redis.nodes === 1, 'one node');
});
