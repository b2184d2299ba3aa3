/** What one decision of a limit costs: in memory, exact in Redis, and leased from Redis. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Leases } from '../plugins/_limits/leases.ts';
import { RedisLimiter } from '../plugins/_limits/redis-limiter.ts';
import { ExactSource, type TokenSource } from '../plugins/_limits/source.ts';
import { createStore } from '../plugins/_limits/store.ts';
import { bucket, type State, take } from '../plugins/_limits/windows.ts';
import { RedisConnection } from '../src/clients/redis.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { systemRandom } from '../src/kernel/random.ts';

const PORT = 16_379;
/** Requests at once, and clients among which they are spread. */
const AT_ONCE = 64;
const KEYS = 100;
const ROUND_MS = 1500;
const ROUNDS = 3;

const windows = [bucket(100_000, 1000, 10_000, '100000/s')];
const keys = Array.from({ length: KEYS }, (_, at) => `bench:limit:{claims.sub=user-${at}}`);

type Decide = (key: string) => unknown;

/** Runs decisions for a while; CPU microseconds a decision, and the 50th and 99th percentile of its time. */
async function measure(decide: Decide) {
  const tookUs: number[] = [];
  let count = 0;
  const before = process.cpuUsage();
  const start = performance.now();
  const worker = async (from: number) => {
    for (let at = from; performance.now() - start < ROUND_MS; at++) {
      const began = performance.now();
      const answer = decide(keys[at % KEYS]!);
      if (answer instanceof Promise) await answer;
      if (count++ % 16 === 0) tookUs.push((performance.now() - began) * 1000);
      if (!(answer instanceof Promise) && at % 64 === 0)
        await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => worker(at)));
  const { user, system } = process.cpuUsage(before);
  tookUs.sort((a, b) => a - b);
  const at = (part: number) => tookUs[Math.floor(tookUs.length * part)] ?? 0;
  return { cpuUs: (user + system) / count, p50Us: at(0.5), p99Us: at(0.99) };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

const connect = async () => {
  const place = { kind: 'single' as const, nodes: [{ host: '127.0.0.1', port: PORT }], master: '', db: 0 };
  const settings = { ...place, username: null, password: null, tls: false, prefix: 'bench', timeoutMs: 1000 };
  const log = { warn: console.error, info: console.error };
  const link = new RedisConnection(settings, 'bench', { clock: systemClock, random: systemRandom, log });
  await link.open();
  return link;
};

const folder = mkdtempSync(join(tmpdir(), 'bench-redis-'));
const redis = spawn(
  'redis-server',
  ['--port', String(PORT), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
  {
    stdio: 'ignore',
  },
);
const link = await connect();
const limiter = new RedisLimiter(link, windows);
const leases = new Leases({ link, limiter, windows, cost: 1, clock: systemClock, keys: 100_000 });
const store = createStore<State>(100_000, () => []);
const memory: Decide = (key) =>
  take(windows, store.of(key), { steadyUs: Math.floor(systemClock.nowMs() * 1000), wallUs: 0 }, [1, 1]);
const from = (source: TokenSource): Decide => source.take.bind(source);
const client = link.client;
const ping: Decide = (key) => client.get(key);

const ways: [name: string, decide: Decide][] = [
  ['nothing (the loop itself)', () => undefined],
  ['memory', memory],
  ['a bare GET in Redis', ping],
  ['redis, exact', from(new ExactSource(link, limiter, 1))],
  ['redis, leased', from(leases)],
];
const results = new Map(ways.map(([name]) => [name, [] as Awaited<ReturnType<typeof measure>>[]]));
for (let round = 0; round < ROUNDS; round++)
  for (const [name, decide] of ways) results.get(name)!.push(await measure(decide));

console.log('| decision | CPU µs | p50 µs | p99 µs |\n| --- | --- | --- | --- |');
for (const [name, rounds] of results) {
  const of = (key: 'cpuUs' | 'p50Us' | 'p99Us') => median(rounds.map((round) => round[key])).toFixed(1);
  console.log(`| ${name} | ${of('cpuUs')} | ${of('p50Us')} | ${of('p99Us')} |`);
}
leases.close();
await link.close();
redis.kill();
rmSync(folder, { recursive: true, force: true });
