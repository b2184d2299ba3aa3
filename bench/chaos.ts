/** What clients see of each peer while one of three endpoints is killed, frozen, slow, cut off or answering 500. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { keep } from './lib/compare.ts';
import { start, versionOf } from './lib/peer.ts';
import { type Steady, steady } from './lib/steady.ts';
import { chaosPeers, ENDPOINTS } from './peers/chaos.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    rate: { type: 'string', default: '200' },
    only: { type: 'string', multiple: true, default: [] },
  },
});

const PORT = 18300;
const program = fileURLToPath(new URL('./programs/fault-origin.ts', import.meta.url));

const reachable = async (port: number) => {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1');
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (up) return;
    await pause(50);
  }
  throw new Error(`no origin on port ${port}`);
};

const startOrigin = async (port: number): Promise<ChildProcess> => {
  const child = spawn(process.execPath, [program, String(port)], { stdio: 'ignore' });
  await reachable(port);
  return child;
};

const mode = (name: string) => async () => {
  await fetch(`http://127.0.0.1:${PORT + 1}/mode/${name}`);
};

/** Each happens to the first endpoint, a second after the load has begun. */
const FAULTS: Record<string, (endpoint: ChildProcess) => unknown> = {
  none: () => {},
  killed: (endpoint) => endpoint.kill('SIGKILL'),
  frozen: (endpoint) => endpoint.kill('SIGSTOP'),
  'slow (2 s)': mode('slow'),
  'reset half-way': mode('reset'),
  'answers 500': mode('error'),
};

const results: ({ peer: string; fault: string } & Steady)[] = [];
for (const peer of chaosPeers) {
  if (values.only.length > 0 && !values.only.includes(peer.name)) continue;
  if (versionOf(peer.version) === null) {
    process.stderr.write(`${peer.name} is not installed and is left out\n`);
    continue;
  }
  for (const [fault, make] of Object.entries(FAULTS)) {
    const folder = mkdtempSync(join(tmpdir(), 'snowgate-chaos-'));
    const origins = await Promise.all(ENDPOINTS.map((at) => startOrigin(PORT + at)));
    // A new process each time: what one fault has taught a peer must not help it with the next.
    const proxy = await start(peer, { own: PORT + 10, origin: PORT }, { folder, core: 0 });
    try {
      await steady(proxy.url, Number(values.rate), 1);
      const load = steady(proxy.url, Number(values.rate), Number(values.seconds));
      await pause(1000);
      await make(origins[0]!);
      results.push({ peer: peer.name, fault, ...(await load) });
    } finally {
      await proxy.stop();
      for (const origin of origins) origin.kill('SIGKILL');
      await Promise.all(
        origins.map((origin) => origin.exitCode ?? origin.signalCode ?? once(origin, 'exit')),
      );
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

const row = (cells: readonly unknown[]) => `| ${cells.join(' | ')} |\n`;
process.stdout.write(row(['', 'fault', 'sent', 'failed', 'p50 ms', 'p99 ms']) + row(Array(6).fill('---')));
for (const r of results) process.stdout.write(row([r.peer, r.fault, r.sent, r.failed, r.p50Ms, r.p99Ms]));
keep('chaos', results);
