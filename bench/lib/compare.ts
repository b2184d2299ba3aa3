/** Measures peers side by side: one core for the peer under test, in turns, the load and the origin on another. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { origin } from '../peers/nginx.ts';
import { cpuUs, memoryBytes } from './cpu.ts';
import { type Peer, type Running, start, versionOf } from './peer.ts';
import { type Result, summarise, table } from './report.ts';
import { type Burst, burst } from './wrk.ts';

const PROXY_CORE = 0;
export const LOAD_CORE = 1;
const FIRST_PORT = 18100;

export interface Comparison {
  /** File under results/, without its ending. */
  readonly name: string;
  /** The first one is what the others are compared to, and always runs. */
  readonly peers: readonly Peer[];
  /** A Lua script for wrk. */
  readonly script?: string;
}

/** What every bench takes on its command line. */
export const { values: asked } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    layers: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});

/** Runs the comparison, prints its table and keeps it under results/. Peers that are not installed are left out. */
export async function compare({ name, peers, script }: Comparison): Promise<void> {
  for (const program of ['wrk', 'nginx', 'taskset']) {
    if (versionOf([program, '-v']) === null && versionOf([program, '--version']) === null) {
      throw new Error(`${program} is needed and not installed; see bench/README.md`);
    }
  }
  const wanted = (peer: Peer) =>
    peer === peers[0] || asked.only.length === 0 || asked.only.includes(peer.name);
  const folder = mkdtempSync(join(tmpdir(), 'snowgate-bench-'));
  const running: Running[] = [];
  const back = await start(origin, { own: FIRST_PORT, origin: 0 }, { folder, core: LOAD_CORE });

  const measure = async (peer: Running, seconds: number): Promise<Burst & { cpuUs: number }> => {
    const before = cpuUs(peer.pid);
    const connections = Number(asked.connections);
    const told = await burst({ url: peer.url, seconds, connections, core: LOAD_CORE, script });
    return { ...told, cpuUs: cpuUs(peer.pid) - before };
  };

  try {
    for (const [at, peer] of peers.filter(wanted).entries()) {
      if (versionOf(peer.version) === null) {
        process.stderr.write(`${peer.name} is not installed and is left out\n`);
        continue;
      }
      const ports = { own: FIRST_PORT + 1 + at, origin: FIRST_PORT };
      running.push(await start(peer, ports, { folder, core: PROXY_CORE }));
    }
    const bursts = new Map(running.map((peer) => [peer, [] as (Burst & { cpuUs: number })[]]));
    for (const peer of running) await measure(peer, 2);
    for (let round = 1; round <= Number(asked.rounds); round++) {
      process.stderr.write(`round ${round} of ${asked.rounds}\n`);
      for (const peer of running) bursts.get(peer)!.push(await measure(peer, Number(asked.seconds)));
    }
    const results: Result[] = summarise(
      running.map((peer) => ({ peer, bursts: bursts.get(peer)!, memoryBytes: memoryBytes(peer.pid) })),
    );
    process.stdout.write(table(results));
    keep(name, results);
  } finally {
    for (const peer of [...running, back]) await peer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes results beside the bench, for the next reader to compare with. */
export function keep(name: string, results: unknown): void {
  const target = new URL('../results/', import.meta.url);
  mkdirSync(target, { recursive: true });
  writeFileSync(new URL(`${name}.json`, target), `${JSON.stringify(results, null, 2)}\n`);
}
