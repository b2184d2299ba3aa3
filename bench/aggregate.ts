/** An aggregate of three parts beside a client that makes the three calls by hand, through the same gateway. */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keep } from './lib/compare.ts';
import { cpuUs } from './lib/cpu.ts';
import { start } from './lib/peer.ts';
import { origin as originPeer } from './peers/nginx.ts';
import { snowgateWith } from './peers/snowgate.ts';

const PORTS = { own: 18_151, origin: 18_150 };
const CLIENTS = 16;
const ROUND_MS = 3000;
const ROUNDS = 5;

/** The origin answers every path alike; one of its members takes the place of an ID. */
const snowgate = snowgateWith(
  'snowgate',
  ({ origin }) => `
upstreams:
  origin: { targets: { "http://127.0.0.1:${origin}": 1 } }
routes:
  - path: /home/{id}
    aggregate:
      user: { upstream: origin, path: "/users/{params.id}" }
      orders: { upstream: origin, path: "/orders?user={parts.user.service}" }
      banners: { upstream: origin, path: /banners }
  - { path: /**, upstream: origin }
`,
);

const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS * 3 });

const get = (path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: PORTS.own, path, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve(text) : reject(new Error(`${path}: ${answer.statusCode}`)),
      );
    })
      .on('error', reject)
      .end();
  });

/** What a page needs: the user, then what belongs to it and what does not need it, as far as possible at once. */
const byHand = async () => {
  const [user, banners] = await Promise.all([get('/users/7'), get('/banners')]);
  const orders = await get(`/orders?user=${JSON.parse(user).service}`);
  return JSON.stringify({ user: JSON.parse(user), orders: JSON.parse(orders), banners: JSON.parse(banners) });
};
const WAYS = { aggregate: () => get('/home/7'), 'three calls': byHand };

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Pages for a while; CPU of the gateway a page, and the client's time. */
const measure = async (page: () => Promise<string>, pid: number) => {
  const tookMs: number[] = [];
  const before = cpuUs(pid);
  const startMs = performance.now();
  const client = async () => {
    while (performance.now() - startMs < ROUND_MS) {
      const began = performance.now();
      await page();
      tookMs.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const sorted = tookMs.toSorted((a, b) => a - b);
  return {
    gatewayUs: (cpuUs(pid) - before) / tookMs.length,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)]!,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)]!,
  };
};

const folder = mkdtempSync(join(tmpdir(), 'snowgate-aggregate-'));
const origin = await start(originPeer, { own: PORTS.origin, origin: 0 }, { folder, core: 1 });
const gateway = await start(snowgate, PORTS, { folder, core: 0 });
try {
  if ((await WAYS.aggregate()) !== (await byHand())) throw new Error('the two ways give other answers');
  const names = Object.keys(WAYS) as (keyof typeof WAYS)[];
  const taken = new Map(names.map((name) => [name, [] as Awaited<ReturnType<typeof measure>>[]]));
  for (const name of names) await measure(WAYS[name], gateway.pid);
  for (let round = 1; round <= ROUNDS; round++)
    for (const name of names) taken.get(name)!.push(await measure(WAYS[name], gateway.pid));
  const results = names.map((name) => {
    const of = (key: 'gatewayUs' | 'p50Ms' | 'p99Ms') =>
      Number(median(taken.get(name)!.map((one) => one[key])).toFixed(2));
    return { name, gatewayUs: of('gatewayUs'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms') };
  });
  process.stdout.write('| one page by | gateway CPU µs | p50 ms | p99 ms |\n| --- | --- | --- | --- |\n');
  for (const { name, gatewayUs, p50Ms, p99Ms } of results)
    process.stdout.write(`| ${name} | ${gatewayUs} | ${p50Ms} | ${p99Ms} |\n`);
  keep('aggregate', results);
} finally {
  agent.destroy();
  await gateway.stop();
  await origin.stop();
  rmSync(folder, { recursive: true, force: true });
}
