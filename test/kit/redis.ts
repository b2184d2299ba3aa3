/** Real Redis for tests: one server, a master with replica and Sentinels, a Cluster of three; each can be killed or frozen. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, test } from 'vitest';

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
const hasSentinel = spawnSync('redis-sentinel', ['--version']).status === 0;

/** A test that needs Redis: skipped by name where there is none, which is a failure with CI=true. */
export function redisTest(name: string, run: () => Promise<void>): void {
  if ((hasRedis && hasSentinel) || process.env.CI === 'true') test(name, run, 60_000);
  else test.skip(`${name} (needs redis-server and redis-sentinel)`, run);
}

const run = promisify(execFile);

/** Who keeps a server alive: a test, or whoever stops it in a file's `afterAll` (which must not be called in a hook). */
export type Owner = (stop: () => Promise<void>) => void;

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** SIGKILL; comes back when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: its sockets stay open and it answers nothing. */
  freeze(): void;
  thaw(): void;
  /** On the same port, empty. */
  restart(): Promise<void>;
  /** What redis-cli prints. */
  cli(...args: string[]): Promise<string>;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const cli = async (port: number, args: readonly string[]): Promise<string> =>
  (await run('redis-cli', ['-p', String(port), ...args])).stdout.trim();

/** Waits until a command prints what is wanted, or until it is in vain. */
async function eventually(
  ask: () => Promise<string>,
  fits: (text: string) => boolean,
  isVain = () => false,
): Promise<void> {
  const over = Date.now() + 20_000;
  let last = '';
  while (Date.now() < over && !isVain()) {
    last = await ask().catch((error: Error) => error.message);
    if (fits(last)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited in vain; the last answer was ${last}`);
}

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));

async function spawnRedis(port: number, args: readonly string[], isSentinel: boolean): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'));
  if (isSentinel) writeFileSync(join(folder, 'sentinel.conf'), args.join('\n'));
  const command = isSentinel ? 'redis-sentinel' : 'redis-server';
  const common = isSentinel
    ? [join(folder, 'sentinel.conf')]
    : ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args];
  let child: ChildProcess;
  const start = async () => {
    child = spawn(command, [...common, '--port', String(port), '--dir', folder], { stdio: 'ignore' });
    await eventually(
      () => cli(port, ['ping']),
      (text) => text === 'PONG',
      () => child.exitCode !== null,
    );
  };
  const kill = async () => {
    child.kill('SIGKILL');
    await ended(child);
  };
  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    restart: async () => {
      await kill();
      await start();
    },
    cli: (...words) => cli(port, words),
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  } as RedisServer & AsyncDisposable;
}

const owned = async (server: RedisServer, owner: Owner): Promise<RedisServer> => {
  owner(async () => (server as RedisServer & AsyncDisposable)[Symbol.asyncDispose]());
  return server;
};

/** Another process may have taken a port before the server does; then it ends at its start, and others are tried. */
async function onFreePort(start: (port: number) => Promise<RedisServer>): Promise<RedisServer> {
  for (let left = 4; ; left--) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/** One server on a free port. */
export async function startRedis(owner: Owner = onTestFinished, args: string[] = []): Promise<RedisServer> {
  return owned(await onFreePort((port) => spawnRedis(port, args, false)), owner);
}

export interface SentinelTrio {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** `redis+sentinel://…` */
  readonly url: string;
}

/** A master, a replica and three Sentinels that make it the master half a second after the other is gone. */
export async function startSentinels(owner: Owner = onTestFinished): Promise<SentinelTrio> {
  const master = await startRedis(owner);
  const replica = await startRedis(owner, ['--replicaof', '127.0.0.1', String(master.port)]);
  const sentinels: RedisServer[] = [];
  for (let at = 0; at < 3; at++) {
    const lines = [
      'bind 127.0.0.1',
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 2`,
      'sentinel down-after-milliseconds mymaster 500',
      'sentinel failover-timeout mymaster 2000',
    ];
    sentinels.push(await owned(await onFreePort((port) => spawnRedis(port, lines, true)), owner));
  }
  for (const sentinel of sentinels) {
    await eventually(
      () => sentinel.cli('sentinel', 'ckquorum', 'mymaster'),
      (text) => text.startsWith('OK 3'),
    );
    await eventually(
      () => sentinel.cli('sentinel', 'replicas', 'mymaster'),
      (text) => text.includes(`127.0.0.1:${replica.port}`) && text.includes('master-link-status\nok'),
    );
  }
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return { master, replica, url: `redis+sentinel://${hosts}/mymaster` };
}

export interface ClusterTrio {
  readonly nodes: readonly RedisServer[];
  /** `redis+cluster://…` */
  readonly url: string;
}

/** Three masters that share the slots. */
export async function startCluster(owner: Owner = onTestFinished): Promise<ClusterTrio> {
  const nodes: RedisServer[] = [];
  for (let at = 0; at < 3; at++) {
    const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'];
    args.push('--cluster-require-full-coverage', 'no', '--cluster-port');
    const start = async (port: number) => spawnRedis(port, [...args, String(await freePort())], false);
    nodes.push(await owned(await onFreePort(start), owner));
  }
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await run('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-yes']);
  for (const node of nodes) {
    await eventually(
      () => node.cli('cluster', 'info'),
      (text) => text.includes('cluster_state:ok') && text.includes('cluster_known_nodes:3'),
    );
  }
  return { nodes, url: `redis+cluster://${hosts.join(',')}` };
}
