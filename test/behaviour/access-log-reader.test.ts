import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseScrape } from '../kit/telemetry.ts';

const launch = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));
let folder: string;
let shell: ChildProcess | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'snowgate-reader-'));
});
afterEach(() => {
  // The reader of the log may sleep on; the shell's group is ours alone.
  if (shell?.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGKILL');
  shell = null;
  rmSync(folder, { recursive: true });
});

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
};

/** Runs a gateway whose standard output goes to `reader`, a shell command. */
const start = async (reader: string) => {
  const [port, adminPort] = [await freePort(), await freePort()];
  writeFileSync(
    join(folder, 'gateway.yaml'),
    `listen: 127.0.0.1:${port}\nadmin: 127.0.0.1:${adminPort}\nroutes:\n  - { path: /a, upstream: http://127.0.0.1:9 }\n`,
  );
  const gateway = `echo "pid $$" >&2; exec "${process.execPath}" "${launch}" start gateway.yaml`;
  const line = `{ sh -c '${gateway}'; echo "status $?" >&2; } | ${reader}`;
  shell = spawn('sh', ['-c', line], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const closed = once(shell, 'close');
  const said = { out: '', err: '' };
  shell.stdout!.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
  });
  shell.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said.err += text;
  });
  const tell = () => said.err + said.out.slice(-2000);
  const admin = (path: string) => fetch(`http://127.0.0.1:${adminPort}${path}`);
  await until(async () => (await admin('/readyz').catch(() => null))?.status === 200, tell);
  const stop = async () => {
    process.kill(Number(/pid (\d+)/.exec(said.err)![1]), 'SIGTERM');
    await until(async () => said.err.includes('status'), tell);
    return Number(/status (\d+)/.exec(said.err)![1]);
  };
  return { port, admin, said, tell, stop, closed };
};

const until = async (holds: () => Promise<boolean>, said: () => string) => {
  for (const endMs = Date.now() + 15_000; !(await holds()); await sleep(20)) {
    if (Date.now() > endMs) throw new Error(`what was waited for did not come; ${said()}`);
  }
};

/** Asks many times over a few connections and gives how often there was each status. */
const ask = async (port: number, count: number, options: { path: string; userAgent: string }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const statuses = new Map<number, number>();
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const headers = { 'user-agent': options.userAgent };
      const asked = request({ port, host: '127.0.0.1', path: options.path, headers, agent }, (answer) => {
        const status = answer.statusCode ?? 0;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        answer.resume().on('end', resolve).on('error', reject);
      });
      asked.on('error', reject).end();
    });
  await Promise.all(Array.from({ length: count }, one));
  agent.destroy();
  return Object.fromEntries(statuses);
};

test('each request leaves a line, and all are there after the stop', async () => {
  const gateway = await start('cat');
  expect(await ask(gateway.port, 300, { path: '/nothing', userAgent: 'tester "1"' })).toEqual({ 404: 300 });
  expect(await gateway.stop()).toBe(0);
  await gateway.closed;
  const lines = gateway.said.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const access = lines.filter((line) => line.log === 'access');
  expect(access).toHaveLength(300);
  expect(new Set(access.map((line) => line.traceId)).size).toBe(300);
  expect(access[0]).toMatchObject({
    path: '/nothing',
    status: 404,
    code: 'GW_NO_ROUTE',
    userAgent: 'tester "1"',
  });
  expect(lines.filter((line) => line.log === 'gateway').length).toBeGreaterThan(0);
});

test('a log that nobody reads stops neither requests nor metrics nor the end, and what is lost is counted', async () => {
  const gateway = await start('sleep 120');
  // About 3 KB a line: past the 4 MiB that may wait.
  const heavy = { path: `/${'p'.repeat(1000)}`, userAgent: '"'.repeat(1000) };
  expect(await ask(gateway.port, 2000, heavy)).toEqual({ 404: 2000 });
  const lost = async () => {
    const series = parseScrape(await (await gateway.admin('/metrics')).text());
    return series.get('snowgate_access_log_dropped_lines_total') ?? 0;
  };
  await until(async () => (await lost()) > 0, gateway.tell);
  expect(await lost()).toBeLessThan(1500);
  expect(await gateway.stop()).toBe(0);
}, 60_000);
