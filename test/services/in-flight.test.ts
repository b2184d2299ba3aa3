/** Places that gateways share in Redis: exact together, given back when a gateway dies, and shared out while Redis is gone. */
import { createServer, type ServerResponse } from 'node:http';
import { expect, onTestFinished } from 'vitest';
import { SharedPlaces } from '../../plugins/_limits/shared-places.ts';
import { RedisConnection } from '../../src/clients/redis.ts';
import { readRedisUrl } from '../../src/config/redis.ts';
import type { RedisPlace } from '../../src/config/redis-place.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { startTestGateway, until } from '../kit/gateway.ts';
import { keepingLogger } from '../kit/plugin.ts';
import { redisTest, startRedis } from '../kit/redis.ts';

redisTest(
  'two gateways together let in no more than the limit, and count on while Redis is gone',
  async () => {
    const server = await startRedis();
    const waiting: ServerResponse[] = [];
    const origin = createServer((_, response) => void waiting.push(response));
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      origin.closeAllConnections();
      origin.close();
    });
    const yaml = `redis: ${server.url}
routes:
  - path: /**
    upstream: http://127.0.0.1:${(origin.address() as { port: number }).port}
    plugins: { in-flight: { limit: 4, shared: true } }
`;
    const gateways = [await startTestGateway(yaml), await startTestGateway(yaml)];
    const counted = async () => {
      const all = await Promise.all(gateways.map((gateway) => gateway.series()));
      return all.every((series) => series.get('snowgate_redis_nodes') === 2);
    };
    while (!(await counted())) await new Promise((resolve) => setTimeout(resolve, 50));
    const ask = (at: number) => gateways[at]!.ask('/').then((answer) => answer.status);
    const inside = [ask(0), ask(1), ask(0), ask(0)];
    await until(() => waiting.length === 4, 'four requests');
    expect([await ask(0), await ask(1)]).toEqual([429, 429]);
    for (const response of waiting.splice(0, 1)) response.end();
    await Promise.race(inside);
    await until(
      () => gateways.some((gateway) => gateway.access.some((line) => line.status === 200)),
      'an end',
    );
    const again = ask(1);
    await until(() => waiting.length === 4, 'four requests again');
    await server.kill();
    await until(() => gateways.every((gateway) => gateway.gateway.ready().degraded.length > 0), 'degraded');
    // Those that are in count here too, so the gateway with most of them has its part already.
    for (let at = 0; at < 2; at++) expect(await ask(0)).toBe(429);
    for (const response of waiting.splice(0)) response.end();
    expect(await Promise.all([...inside, again])).toEqual([200, 200, 200, 200, 200]);
    const after = ask(0);
    await until(() => waiting.length === 1, 'one request');
    for (const response of waiting.splice(0)) response.end();
    expect(await after).toBe(200);
  },
);

const connect = async (url: string) => {
  const settings = { ...(readRedisUrl(url) as RedisPlace), prefix: 'test', timeoutMs: 1000 };
  const parts = { clock: systemClock, random: systemRandom };
  const link = new RedisConnection(settings, 'test', { ...parts, log: keepingLogger() });
  onTestFinished(() => link.close());
  await link.open();
  return { link, ...parts };
};

redisTest('places are kept as long as their gateway lives, and come free when it is gone', async () => {
  const server = await startRedis();
  const [mine, other] = [
    new SharedPlaces(await connect(server.url)),
    new SharedPlaces(await connect(server.url)),
  ];
  onTestFinished(() => other.close());
  expect(await mine.enter('{a}', 1)).not.toBeNull();
  // Longer than a lease: it is renewed.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  expect(await other.enter('{a}', 1)).toBeNull();
  // As a gateway that was killed.
  mine.close();
  const over = performance.now() + 12_000;
  let member = await other.enter('{a}', 1);
  while (member === null && performance.now() < over) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    member = await other.enter('{a}', 1);
  }
  expect(member).not.toBeNull();
  other.leave('{a}', member!);
});
