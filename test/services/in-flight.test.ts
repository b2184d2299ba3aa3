/** Places that gateways share in Redis: exact together, given back when a gateway dies, and shared out while Redis is gone. */
import { connect } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { SharedLine } from '../../plugins/_limits/shared-line.ts';
import { SharedPlaces } from '../../plugins/_limits/shared-places.ts';
import { RedisConnection } from '../../src/clients/redis.ts';
import { readRedisUrl } from '../../src/config/redis.ts';
import type { RedisPlace } from '../../src/config/redis-place.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { startHeldOrigin } from '../kit/held-origin.ts';
import { keepingLogger } from '../kit/plugin.ts';
import { type RedisServer, redisTest, startRedis } from '../kit/redis.ts';

/** Gateways before one origin that share their places in one Redis; it counts all of them before this comes back. */
const startGateways = async (server: RedisServer, settings: string, count = 2) => {
  const origin = await startHeldOrigin();
  // A budget that no busy machine uses up: what is asked for here is decided by Redis.
  const yaml = `redis: { url: ${server.url}, timeout: 300ms }
routes:
  - path: /**
    upstream: ${origin.url}
    plugins: { in-flight: { shared: true, ${settings} } }
`;
  const gateways: TestGateway[] = [];
  for (let at = 0; at < count; at++) gateways.push(await startTestGateway(yaml));
  const counted = async () => {
    const all = await Promise.all(gateways.map((gateway) => gateway.series()));
    return all.every((series) => series.get('snowgate_redis_nodes') === count);
  };
  while (!(await counted())) await new Promise((resolve) => setTimeout(resolve, 50));
  const ask = (at: number, path = '/') => gateways[at]!.ask(path).then((answer) => answer.status);
  /** Comes back when so many gateways have a line. */
  const lines = async (wanted: number) => {
    const name = async () => (await server.cli('KEYS', '*:line')) || 'none';
    while (Number(await server.cli('ZCARD', await name())) !== wanted)
      await new Promise((resolve) => setTimeout(resolve, 10));
  };
  /** Asks one after the other, each when the one before it is in line. */
  const queueUp = async (at: number, paths: readonly string[]) => {
    const begun = async () => {
      const series = [...(await gateways[at]!.series())];
      return series.find(([name]) => name.startsWith('snowgate_requests_in_flight'))?.[1] ?? 0;
    };
    const before = await begun();
    const answers: Promise<number>[] = [];
    for (const path of paths) {
      answers.push(ask(at, path));
      while ((await begun()) < before + answers.length)
        await new Promise((resolve) => setTimeout(resolve, 2));
      // The first one comes into line when Redis has refused it a place, the others at once.
      if (answers.length === 1) await lines(1);
    }
    return answers;
  };
  const degraded = () =>
    until(() => gateways.every((gateway) => gateway.gateway.ready().degraded.length > 0), 'degraded');
  return { origin, gateways, ask, lines, queueUp, degraded };
};

/** No place is lost: so many requests at once find one, without a wait. */
const expectFree = async (
  { origin, ask }: Awaited<ReturnType<typeof startGateways>>,
  limit: number,
): Promise<void> => {
  const all = Array.from({ length: limit }, (_, at) => ask(at % 2));
  await origin.arrive(limit);
  origin.answer(limit);
  expect(await Promise.all(all)).toEqual(all.map(() => 200));
};

redisTest(
  'two gateways together let in no more than the limit, and count on while Redis is gone',
  async () => {
    const server = await startRedis();
    const { origin, gateways, ask, degraded } = await startGateways(server, 'limit: 4');
    const inside = [ask(0), ask(1), ask(0), ask(0)];
    await origin.arrive(4);
    expect([await ask(0), await ask(1)]).toEqual([429, 429]);
    origin.answer();
    await Promise.race(inside);
    await until(
      () => gateways.some((gateway) => gateway.access.some((line) => line.status === 200)),
      'an end',
    );
    const again = ask(1);
    await origin.arrive(4);
    await server.kill();
    await degraded();
    // Those that are in count here too, so the gateway with most of them has its part already.
    for (let at = 0; at < 2; at++) expect(await ask(0)).toBe(429);
    origin.answer(4);
    expect(await Promise.all([...inside, again])).toEqual([200, 200, 200, 200, 200]);
    const after = ask(0);
    await origin.arrive(1);
    origin.answer();
    expect(await after).toBe(200);
    expect(gateways[0]!.access.map(({ degraded }) => degraded)).toContain('places-local');
    expect(gateways[0]!.access[0]!.degraded).toBeUndefined();
  },
);

redisTest('those in line come in by turns as others of their gateway end; more are refused', async () => {
  const shared = await startGateways(await startRedis(), 'limit: 1, queue: 3, queueTimeout: 20s');
  const { origin, ask, queueUp } = shared;
  const inside = ask(0, '/0');
  await origin.arrive(1);
  const answers = await queueUp(0, ['/1', '/2', '/3']);
  expect(await ask(0, '/4')).toBe(429);
  for (let at = 0; at < 4; at++) {
    await origin.arrive(1);
    origin.answer();
  }
  expect(await Promise.all([inside, ...answers])).toEqual([200, 200, 200, 200]);
  expect(origin.paths).toEqual(['/0', '/1', '/2', '/3']);
  await expectFree(shared, 1);
});

redisTest('a place that comes free in another gateway goes to the first in line', async () => {
  const shared = await startGateways(await startRedis(), 'limit: 2, queue: 3, queueTimeout: 20s');
  const { origin, ask, queueUp } = shared;
  const inside = [ask(0), ask(0)];
  await origin.arrive(2);
  const waiting = await queueUp(1, ['/1', '/2', '/3']);
  origin.answer(2);
  await origin.arrive(2);
  origin.answer(2);
  await origin.arrive(1);
  origin.answer();
  expect(await Promise.all([...inside, ...waiting])).toEqual([200, 200, 200, 200, 200]);
  expect(origin.paths.slice(2)).toEqual(['/1', '/2', '/3']);
  await expectFree(shared, 2);
});

redisTest('a gateway with a long line leaves places to another that has one too', async () => {
  const shared = await startGateways(await startRedis(), 'limit: 1, queue: 100, queueTimeout: 50s');
  const { origin, ask, lines } = shared;
  const long = Array.from({ length: 25 }, () => ask(0, '/long'));
  await origin.arrive(1);
  await lines(1);
  const other = ask(1, '/other');
  await lines(2);
  while (!origin.paths.includes('/other')) {
    await origin.arrive(1);
    // Each request takes longer than the gateways need to ask Redis: what is tested is whose turn it is then.
    await new Promise((resolve) => setTimeout(resolve, 100));
    origin.answer();
    await origin.arrive(1);
  }
  expect(origin.paths.length).toBeLessThan(25);
  for (let left = 26 - origin.paths.length; left >= 0; left--) {
    await origin.arrive(1);
    origin.answer();
  }
  expect(new Set(await Promise.all([...long, other]))).toEqual(new Set([200]));
});

redisTest('who waits too long is refused, and takes no place', async () => {
  const shared = await startGateways(await startRedis(), 'limit: 1, queue: 1, queueTimeout: 300ms');
  const { origin, ask } = shared;
  const inside = ask(0);
  await origin.arrive(1);
  const started = performance.now();
  expect([await ask(0), await ask(1)]).toEqual([429, 429]);
  expect(performance.now() - started).toBeGreaterThan(590);
  origin.answer();
  expect(await inside).toBe(200);
  await expectFree(shared, 1);
});

redisTest('who leaves the line takes no place', async () => {
  const shared = await startGateways(await startRedis(), 'limit: 1, queue: 1, queueTimeout: 50s');
  const { origin, gateways, ask, lines } = shared;
  const inside = ask(0);
  await origin.arrive(1);
  for (const gateway of gateways) {
    await lines(0);
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write('GET /left HTTP/1.1\r\nhost: a\r\n\r\n');
    await lines(1);
    socket.destroy();
    await gateway.line(({ code }) => code === 'GW_CLIENT_LEFT');
  }
  origin.answer();
  expect(await inside).toBe(200);
  await expectFree(shared, 1);
  expect(origin.paths).not.toContain('/left');
});

for (const fault of ['kill', 'freeze'] as const) {
  redisTest(
    `those in line wait on for the part of their gateway when there is a ${fault} of Redis`,
    async () => {
      const server = await startRedis();
      const shared = await startGateways(server, 'limit: 2, queue: 5, queueTimeout: 20s');
      const { origin, ask, lines, queueUp, degraded } = shared;
      const inside = [ask(0, '/0'), ask(1, '/1')];
      await origin.arrive(2);
      const waiting = [...(await queueUp(0, ['/2', '/3'])), ask(1, '/4')];
      await lines(2);
      await server[fault]();
      await degraded();
      const late = ask(0, '/5');
      // Each gateway has one of the two places now.
      for (let answered = 0; answered < 6; ) {
        await until(() => origin.waiting.length > 0, 'a request at the origin');
        expect(origin.waiting.length).toBeLessThanOrEqual(2);
        answered += origin.waiting.length;
        origin.answer(origin.waiting.length);
      }
      expect(await Promise.all([...inside, ...waiting, late])).toEqual([200, 200, 200, 200, 200, 200]);
      const ofFirst = origin.paths.filter((path) => ['/0', '/2', '/3', '/5'].includes(path));
      expect(ofFirst).toEqual(['/0', '/2', '/3', '/5']);
    },
  );
}

const openRedis = async (url: string) => {
  const settings = { ...(readRedisUrl(url) as RedisPlace), prefix: 'test', timeoutMs: 1000 };
  const parts = { clock: systemClock, random: systemRandom };
  const link = new RedisConnection(settings, 'test', { ...parts, log: keepingLogger() });
  onTestFinished(() => link.close());
  await link.open();
  return { link, ...parts };
};

redisTest('places that came free while Redis was gone are given back when it is there again', async () => {
  const server = await startRedis();
  const shared = await startGateways(server, 'limit: 4');
  const { origin, ask, degraded } = shared;
  const removed = async () =>
    Number(/cmdstat_zrem:calls=(\d+)/.exec(await server.cli('INFO', 'commandstats'))?.[1] ?? 0);
  const inside = [0, 1, 0, 1].map((at) => ask(at));
  await origin.arrive(4);
  const before = await removed();
  server.freeze();
  await degraded();
  origin.answer(4);
  expect(await Promise.all(inside)).toEqual([200, 200, 200, 200]);
  server.thaw();
  // Leases that end by themselves are not removed one by one.
  while ((await removed()) < before + 2) await new Promise((resolve) => setTimeout(resolve, 20));
  await until(() => shared.gateways.every(({ gateway }) => gateway.ready().degraded.length === 0), 'calm');
  await expectFree(shared, 4);
});

redisTest('places are kept as long as their gateway lives, and come free when it is gone', async () => {
  const server = await startRedis();
  const mine = new SharedPlaces(await openRedis(server.url));
  const otherParts = await openRedis(server.url);
  const other = new SharedPlaces(otherParts);
  onTestFinished(() => other.close());
  expect(await mine.enter('{a}', 1)).not.toBeNull();
  // Longer than a lease: it is renewed.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  expect(await other.enter('{a}', 1)).toBeNull();
  // As a gateway that was killed.
  mine.close();
  const line = new SharedLine({ ...otherParts, places: other, up: () => true, most: 1, timeoutMs: 12_000 });
  const member = await line.join({}, '{a}', 1);
  expect(member).not.toBeNull();
  other.leave('{a}', member!);
});
