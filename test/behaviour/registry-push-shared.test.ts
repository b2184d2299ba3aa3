/** One push registry of two gateways through Redis: what one is told both know, and Redis may fail. */
import { expect, onTestFinished } from 'vitest';
import type { RegisteredEndpoint } from '../../src/registry/registry.ts';
import { startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { redisTest, startRedis } from '../kit/redis.ts';

const used = ({ gateway }: TestGateway) =>
  gateway
    .describeUpstreams()[0]!
    .endpoints.map(({ endpoint, weight }) => `${endpoint.split(':')[1]} ${weight}`)
    .sort();

const endpoint = (id: string, port: number, weight = 1): RegisteredEndpoint => ({
  id,
  scheme: 'http',
  host: '127.0.0.1',
  port,
  weight,
  zone: null,
  metadata: {},
});

const begin = async () => {
  const redis = await startRedis();
  const yaml = `
redis: ${redis.url}
registries:
  push: { drain: 600ms }
routes:
  - { path: /, upstream: push/orders }
`;
  const [one, two] = [await startTestGateway(yaml), await startTestGateway(yaml)];
  const put = (at: TestGateway, id: string, port: number, ttlMs = 60_000, weight = 1) =>
    at.gateway.push!.put('orders', endpoint(id, port, weight), ttlMs);
  const age = async (at: TestGateway) =>
    (await at.series()).get('snowgate_registry_age_seconds{registry="push",upstream="push/orders"}')!;
  return { redis, one, two, put, age };
};

redisTest('what one gateway is told the other knows: entries, weights, leaving', async () => {
  const { one, two, put } = await begin();
  const origin = await startOrigin();
  await put(one, 'i-1', origin.port);
  await until(() => used(two).length === 1, 'the entry at the other');
  expect((await two.ask('/')).body).toBe(String(origin.port));
  await put(two, 'i-1', origin.port, 60_000, 5);
  await until(() => used(one)[0] === `${origin.port} 5`, 'the weight');
  await put(two, 'i-2', 9);
  await until(() => used(one).length === 2, 'a second one');
  expect(await two.gateway.push!.remove('orders', 'i-1')).toBe(true);
  await until(() => used(one).includes(`${origin.port} 0`), 'it drains here too');
  await until(() => used(one).length === 1 && used(two).length === 1, 'it is gone everywhere');
});

redisTest('a heartbeat counts at whichever gateway it arrives, and silence everywhere', async () => {
  const { one, two, put } = await begin();
  await put(one, 'i-1', 1, 1000);
  await put(one, 'i-2', 2, 1000);
  await until(() => used(one).length === 2 && used(two).length === 2, 'both');
  const beats = setInterval(() => void put(two, 'i-1', 1, 1000), 200);
  onTestFinished(() => clearInterval(beats));
  await until(() => used(one).length === 1 && used(two).length === 1, 'the silent one gone');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect([used(one), used(two)]).toEqual([['1 1'], ['1 1']]);
});

redisTest('while Redis is away the lists stay, and what a gateway is told counts there', async () => {
  const { redis, one, two, put, age } = await begin();
  await put(one, 'i-1', 1, 1000);
  await put(two, 'i-2', 2, 60_000);
  await until(() => used(one).length === 2 && used(two).length === 2, 'both');
  await redis.kill();
  let [first, second] = [0, 0];
  await until(() => {
    void Promise.all([age(one), age(two)]).then(([a, b]) => {
      [first, second] = [a, b];
    });
    return first > 0 && second > 0;
  }, 'the age of the last answer');
  await put(one, 'i-3', 3);
  await until(() => used(one).length === 3, 'a third one here');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect([used(one), used(two)], 'nobody is forgotten meanwhile').toEqual([
    ['1 1', '2 1', '3 1'],
    ['1 1', '2 1'],
  ]);
  // It comes back without anything that it knew; each gateway tells it again what it was told itself.
  await redis.restart();
  await until(() => used(two).includes('3 1') && used(one).includes('2 1'), 'all of both');
  await until(() => !used(one).includes('1 1') && !used(two).includes('1 1'), 'the silent one gone');
});
