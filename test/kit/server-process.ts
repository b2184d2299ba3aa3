/** A real server as a child process: waited for, killed, frozen, thawed and started again on the same ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Asked again and again after the start; a throw counts as false. */
  ready(): Promise<boolean>;
  /** Default: 30 s. */
  readonly readyWithinMs?: number;
}

export interface ServerProcess {
  readonly running: boolean;
  /** Ends it as an operator would; a frozen one too. */
  stop(): Promise<void>;
  /** Ends it without a word, as a crash does. */
  kill(): Promise<void>;
  /** Stops it from running while its sockets stay: the kernel still accepts connections for it. */
  freeze(): void;
  thaw(): void;
  /** Starts it again with the same command; resolves once it answers. */
  start(): Promise<void>;
}

const OUTPUT_KEPT = 4_000;
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Starts a server and waits until it answers. */
export async function startServer(what: ServerCommand): Promise<ServerProcess> {
  let child: ChildProcess | null = null;
  let output = '';

  const start = async () => {
    output = '';
    const started = spawn(what.command, what.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...what.env },
    });
    child = started;
    children.add(started);
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_KEPT);
    };
    started.stdout.on('data', keep);
    started.stderr.on('data', keep);
    started.on('error', (error) => keep(Buffer.from(error.message)));
    started.on('close', () => {
      children.delete(started);
      if (child === started) child = null;
    });
    const giveUpAt = Date.now() + (what.readyWithinMs ?? 30_000);
    while (!(await what.ready().catch(() => false))) {
      if (child !== started) throw new Error(`${what.name} ended at its start:\n${output}`);
      if (Date.now() > giveUpAt) throw new Error(`${what.name} does not answer:\n${output}`);
      await sleep(50);
    }
  };

  const end = async (signal: NodeJS.Signals) => {
    const ending = child;
    if (ending === null) return;
    const closed = once(ending, 'close');
    ending.kill(signal);
    // A stopped process takes SIGTERM only once it runs again.
    ending.kill('SIGCONT');
    const late = setTimeout(() => ending.kill('SIGKILL'), 5_000);
    await closed;
    clearTimeout(late);
  };

  try {
    await start();
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return {
    get running() {
      return child !== null;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    start,
  };
}
