/** Runs all peers that are installed side by side, and prints what a request costs in each. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cpuUs, memoryBytes } from './lib/cpu.ts';
import { type Peer, type Running, start, versionOf } from './lib/peer.ts';
import { type Result, summarise, table } from './lib/report.ts';
import { type Burst, burst } from './lib/wrk.ts';
import { caddy } from './peers/caddy.ts';
import { envoy } from './peers/envoy.ts';
import { haproxy } from './peers/haproxy.ts';
import { httpProxy, nodeFloor, nodeHttp } from './peers/http-proxy.ts';
import { nginx, origin } from './peers/nginx.ts';
import { layers, snowgate } from './peers/snowgate.ts';

const PROXY_CORE = 0;
const LOAD_CORE = 1;
const FIRST_PORT = 18100;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    layers: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});

const candidates: readonly Peer[] = [
  nginx,
  haproxy,
  envoy,
  caddy,
  httpProxy,
  snowgate,
  ...(values.layers ? [...layers, nodeFloor, nodeHttp] : []),
];
const wanted = (peer: Peer) => peer === nginx || values.only.length === 0 || values.only.includes(peer.name);

for (const program of ['wrk', 'nginx', 'taskset']) {
  if (versionOf([program, '-v']) === null && versionOf([program, '--version']) === null) {
    throw new Error(`${program} is needed and not installed; see bench/README.md`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'snowgate-bench-'));
const running: Running[] = [];
const back = await start(origin, { own: FIRST_PORT, origin: 0 }, { folder, core: LOAD_CORE });

const measure = async (peer: Running, seconds: number): Promise<Burst & { cpuUs: number }> => {
  const before = cpuUs(peer.pid);
  const load = { url: peer.url, seconds, connections: Number(values.connections), core: LOAD_CORE };
  const told = await burst(load);
  return { ...told, cpuUs: cpuUs(peer.pid) - before };
};

try {
  for (const [at, peer] of candidates.filter(wanted).entries()) {
    if (versionOf(peer.version) === null) {
      process.stderr.write(`${peer.name} is not installed and is left out\n`);
      continue;
    }
    const ports = { own: FIRST_PORT + 1 + at, origin: FIRST_PORT };
    running.push(await start(peer, ports, { folder, core: PROXY_CORE }));
  }
  const bursts = new Map(running.map((peer) => [peer, [] as (Burst & { cpuUs: number })[]]));
  for (const peer of running) await measure(peer, 2);
  for (let round = 1; round <= Number(values.rounds); round++) {
    process.stderr.write(`round ${round} of ${values.rounds}\n`);
    for (const peer of running) bursts.get(peer)!.push(await measure(peer, Number(values.seconds)));
  }
  const results: Result[] = summarise(
    running.map((peer) => ({ peer, bursts: bursts.get(peer)!, memoryBytes: memoryBytes(peer.pid) })),
  );
  process.stdout.write(table(results));
  const target = new URL('./results/', import.meta.url);
  mkdirSync(target, { recursive: true });
  writeFileSync(new URL('latest.json', target), `${JSON.stringify(results, null, 2)}\n`);
} finally {
  for (const peer of [...running, back]) await peer.stop();
  rmSync(folder, { recursive: true, force: true });
}
