/** Limits in Redis while Redis fails in every way: no request is lost or held up, and no limit is off. */
import { Agent } from 'node:http';
import { expect, vi } from 'vitest';
import { startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { type RedisServer, redisTest, startCluster, startRedis, startSentinels } from '../kit/redis.ts';
import { startRelay } from '../kit/relay.ts';
import { watchStalls } from '../kit/stalls.ts';

/** So low that a busy machine asks for more too. */
const RATE = 10;
const BURST = 10;
const PAUSE_MS = 5;

const yaml = (url: string, settings = '') => `redis: ${url}
plugins:
  by-address: { type: rate-limit, rate: ${RATE}/s, burst: ${BURST}${settings} }
routes:
  - path: /limited
    plugins: { respond: { status: 204 } }
  - path: /free
    plugins: { by-address: false, respond: { status: 204 } }
`;

interface Seen {
  readonly atMs: number;
  /** Without the time for which the machine let nothing of this process run. */
  readonly tookMs: number;
  /** 0: no answer. */
  readonly status: number;
}

/** Asks on and on while something happens; gives each answer. */
async function load(gateway: TestGateway, what: (seen: readonly Seen[]) => Promise<void>): Promise<Seen[]> {
  const agent = new Agent({ keepAlive: true });
  const seen: Seen[] = [];
  const pending = new Set<Promise<void>>();
  const stalls = watchStalls();
  const ask = async () => {
    const atMs = performance.now();
    const beforeMs = stalls.heldMs();
    const status = await gateway.ask('/limited', { agent }).then(
      (answer) => answer.status,
      () => 0,
    );
    const tookMs = performance.now() - atMs - (stalls.heldMs() - beforeMs);
    seen.push({ atMs, tookMs, status });
  };
  const timer = setInterval(() => {
    const asking = ask().finally(() => pending.delete(asking));
    pending.add(asking);
  }, PAUSE_MS);
  await what(seen).finally(() => clearInterval(timer));
  await Promise.all(pending);
  stalls.stop();
  agent.destroy();
  return seen.sort((a, b) => a.atMs - b.atMs);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const p99 = (list: readonly Seen[]): number => {
  const sorted = list.map((each) => each.tookMs).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
};

const isExact = (gateway: TestGateway) => gateway.gateway.ready().degraded.length === 0;

/** One second of calm, the fault for at least two, and a second after it is over. */
async function underFault(
  gateway: TestGateway,
  { begin, end }: { begin: () => Promise<void> | void; end: () => Promise<void> | void },
) {
  let faultMs = 0;
  let exactMs = 0;
  let goneMs = 0;
  const isRefused = ({ status }: Seen) => status === 429;
  const seen = await load(gateway, async (sofar) => {
    await pause(1000);
    // A busy machine may take longer to ask for more than there is.
    await until(() => sofar.some(isRefused), 'a refusal');
    faultMs = performance.now();
    await begin();
    await until(() => !isExact(gateway), 'degraded limits');
    await pause(2000);
    goneMs = performance.now();
    await end();
    // Sentinels that find no majority at first vote again seconds later.
    while (!isExact(gateway)) await pause(2);
    exactMs = performance.now();
    await pause(1000);
  });
  const calm = seen.filter((each) => each.atMs < faultMs);
  const fault = seen.filter((each) => each.atMs >= faultMs && each.atMs < faultMs + 1000);
  const admitted = seen.filter((each) => each.status === 204).length;
  const seconds = (seen.at(-1)!.atMs - seen[0]!.atMs) / 1000;
  const addedP99Ms = p99(fault) - p99(calm);
  console.log(
    `${seen.length} requests, added p99 ${addedP99Ms.toFixed(1)} ms, admitted ${admitted} of ${(BURST + RATE * seconds).toFixed(0)}, exact after ${(exactMs - goneMs).toFixed(0)} ms`,
  );
  expect(seen.filter((each) => each.status !== 204 && each.status !== 429)).toEqual([]);
  // The aim is 50; a busy machine adds its own.
  expect(addedP99Ms).toBeLessThan(100);
  // Redis has not seen what passed meanwhile: at each way back its bucket is full.
  expect(admitted).toBeLessThanOrEqual(3 * BURST + RATE * seconds);
  expect(admitted).toBeGreaterThan(RATE * seconds * 0.5);
  expect(seen.some((each) => isRefused(each) && each.atMs >= faultMs && each.atMs < goneMs)).toBe(true);
  return { recoveryMs: exactMs - goneMs };
}

redisTest('Redis is killed and comes back', async () => {
  const server = await startRedis();
  const gateway = await startTestGateway(yaml(server.url));
  const { recoveryMs } = await underFault(gateway, { begin: server.kill, end: server.restart });
  expect(recoveryMs).toBeLessThan(3000);
  await until(() => isExact(gateway), 'exact limits');
  const levels = gateway.log.filter((line) => line.msg.includes('Redis')).map((line) => line.level);
  // Told once for each change; a busy machine may make one more of each.
  expect(levels.join()).toMatch(/^warn,info(,warn,info)*$/);
  const series = await gateway.series();
  expect(series.get('snowgate_redis_up')).toBe(1);
  const counted = (store: string) =>
    series.get(`snowgate_plugin_rate_limit_total{instance="by-address",result="refused",store="${store}"}`);
  expect(counted('redis')).toBeGreaterThan(0);
  expect(counted('local')).toBeGreaterThan(0);
  // Of those that passed, too, the access log tells which did so without Redis.
  const passed = gateway.access.filter(({ status }) => status === 204).map(({ degraded }) => degraded);
  expect(new Set(passed)).toEqual(new Set([undefined, 'limit-local']));
});

redisTest('Redis is frozen and thaws', async () => {
  const server = await startRedis();
  const gateway = await startTestGateway(yaml(server.url));
  const { recoveryMs } = await underFault(gateway, { begin: server.freeze, end: server.thaw });
  expect(recoveryMs).toBeLessThan(3000);
});

redisTest('Redis comes back with data to load first', async () => {
  // Every key takes 2 ms to load, so it answers LOADING for more than a second.
  const server = await startRedis(undefined, ['--key-load-delay', '2000']);
  await server.cli('debug', 'populate', '600');
  await server.cli('save');
  const gateway = await startTestGateway(yaml(server.url));
  await underFault(gateway, { begin: server.kill, end: server.restart });
});

redisTest('the port of Redis becomes a black hole', async () => {
  const server = await startRedis();
  const relay = await startRelay(server.port);
  const gateway = await startTestGateway(yaml(`redis://127.0.0.1:${relay.port}`));
  const { recoveryMs } = await underFault(gateway, { begin: relay.swallow, end: relay.pass });
  expect(recoveryMs).toBeLessThan(3500);
});

redisTest('Redis is half a second slow', async () => {
  const server = await startRedis();
  const relay = await startRelay(server.port);
  const gateway = await startTestGateway(yaml(`redis://127.0.0.1:${relay.port}`));
  const setDelay = (ms: number) => () => {
    relay.delayMs = ms;
  };
  await underFault(gateway, { begin: setDelay(500), end: setDelay(0) });
});

redisTest('the master dies and Sentinels choose the replica', async () => {
  const { master, url } = await startSentinels();
  const gateway = await startTestGateway(yaml(url));
  await underFault(gateway, { begin: master.kill, end: () => undefined });
});

redisTest('the master becomes a replica and refuses writes', async () => {
  const other = await startRedis();
  const server = await startRedis();
  const gateway = await startTestGateway(yaml(server.url));
  const demote = async () => {
    await server.cli('replicaof', '127.0.0.1', String(other.port));
  };
  const promote = async () => {
    await server.cli('replicaof', 'no', 'one');
  };
  await underFault(gateway, { begin: demote, end: promote });
});

redisTest('the node of a Cluster that holds the bucket freezes', async () => {
  const { nodes, url } = await startCluster();
  const gateway = await startTestGateway(yaml(url));
  const findHolder = async () => {
    // A bucket that is nearly full is soon forgotten.
    for (let at = 0; at < BURST; at++) await gateway.ask('/limited');
    const sizes = await Promise.all(nodes.map((node) => node.cli('keys', '*:limit:*')));
    return nodes[sizes.findIndex((keys) => keys !== '')];
  };
  const holder = await vi.waitUntil(findHolder, { timeout: 5000 });
  await underFault(gateway, { begin: holder.freeze, end: holder.thaw });
});

redisTest('open lets all pass, closed refuses all, and both leave other routes alone', async () => {
  const server = await startRedis();
  const open = await startTestGateway(yaml(server.url, ', onStoreFailure: open'));
  const closed = await startTestGateway(yaml(server.url, ', onStoreFailure: closed'));
  await server.kill();
  await until(() => !isExact(open) && !isExact(closed), 'degraded limits');
  for (let at = 0; at < 2 * BURST; at++) expect((await open.ask('/limited')).status).toBe(204);
  expect((await open.line(({ path }) => path === '/limited')).degraded).toBe('limit-open');
  const refused = await closed.ask('/limited');
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
  expect((await closed.line((line) => line.status === 503)).code).toBe('GW_LIMIT_STORE');
  expect((await closed.ask('/free')).status).toBe(204);
});

/** Kills the Redis of two gateways once each has counted the other. */
const loseTogether = async (server: RedisServer, gateways: readonly TestGateway[]) => {
  const counted = async () =>
    Promise.all(gateways.map(async (each) => (await each.series()).get('snowgate_redis_nodes')));
  const over = performance.now() + 10_000;
  while ((await counted()).some((nodes) => nodes !== 2) && performance.now() < over) await pause(50);
  expect(await counted()).toEqual([2, 2]);
  await server.kill();
  await until(() => gateways.every((each) => !isExact(each)), 'degraded limits');
};

redisTest('the gateways of a lost Redis share the limit by their number', async () => {
  const server = await startRedis();
  const gateways = [await startTestGateway(yaml(server.url)), await startTestGateway(yaml(server.url))];
  await loseTogether(server, gateways);
  const start = performance.now();
  let admitted = 0;
  for (let at = 0; at < 2 * BURST; at++)
    for (const gateway of gateways) if ((await gateway.ask('/limited')).status === 204) admitted++;
  const seconds = (performance.now() - start) / 1000;
  expect(admitted).toBeGreaterThanOrEqual(BURST);
  expect(admitted).toBeLessThanOrEqual(BURST + RATE * seconds + 1);
});

redisTest('what a gateway tells of its part is true: its `t` is when one passes', async () => {
  const server = await startRedis();
  const text = yaml(server.url).replace(`rate: ${RATE}/s, burst: ${BURST}`, 'rate: 1/min, burst: 2');
  const gateways = [await startTestGateway(text), await startTestGateway(text)];
  await loseTogether(server, gateways);
  // A part is one token, which comes back after two minutes; of the whole limit one would be back after one.
  const first = await gateways[0]!.ask('/limited');
  expect([first.status, first.headers.ratelimit]).toEqual([204, '"by-address";r=0;t=120']);
  const { status, headers } = await gateways[0]!.ask('/limited');
  expect([status, headers.ratelimit]).toEqual([429, `"by-address";r=0;t=${headers['retry-after']}`]);
  expect(Number(headers['retry-after'])).toBeGreaterThan(60);
  expect((await gateways[0]!.line((line) => line.status === 429)).detail).toBe(
    'by-address: 1/min, this gateway’s part',
  );
});

redisTest('a Redis that is not there at the start is a warning, and it is used when it comes', async () => {
  const server = await startRedis();
  await server.kill();
  const gateway = await startTestGateway(yaml(server.url));
  expect(gateway.log.map((line) => line.msg).join()).toContain('Redis cannot be used');
  expect((await gateway.ask('/limited')).status).toBe(204);
  await server.restart();
  await until(() => isExact(gateway), 'exact limits');
});

redisTest('another Redis is taken into use without a request lost', async () => {
  const [first, second] = [await startRedis(), await startRedis()];
  const gateway = await startTestGateway(yaml(first.url));
  const seen = await load(gateway, async () => {
    await pause(300);
    await gateway.edit(yaml(second.url));
    await pause(300);
  });
  expect(seen.filter((each) => each.status !== 204 && each.status !== 429)).toEqual([]);
  expect(await second.cli('keys', '*:limit:*')).not.toBe('');
});
