/** What the bench knows of a proxy under test, and how it is started on one core. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface Ports {
  /** Where the proxy listens. */
  readonly own: number;
  /** Where the origin does. */
  readonly origin: number;
}

export interface Peer {
  readonly name: string;
  /** Tells the version; the peer is left out where this fails. */
  readonly version: readonly string[];
  /** Files to write in the peer's folder, by name. */
  files(ports: Ports, folder: string): Readonly<Record<string, string>>;
  command(ports: Ports, folder: string): readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Running {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** The version line of a program, or null where it is not installed. */
export function versionOf(command: readonly string[]): string | null {
  const { error, stdout, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' });
  if (error) return null;
  // Three numbers first: a path in the line may hold two, as in `python3.11`.
  const text = stdout + stderr;
  return (/\d+\.\d+\.\d+/.exec(text) ?? /\d+\.\d+/.exec(text))?.[0] ?? null;
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });

const waitFor = async (port: number, child: ChildProcess, name: string) => {
  for (let tries = 0; tries < 200; tries++) {
    if (await answers(port)) return;
    if (child.exitCode !== null) throw new Error(`${name} ended with code ${child.exitCode}`);
    await pause(50);
  }
  throw new Error(`${name} does not listen on port ${port}`);
};

/** Starts a peer on one core, with what it prints in `out.log` of its folder. */
export async function start(
  peer: Peer,
  ports: Ports,
  place: { folder: string; core: number },
): Promise<Running> {
  const folder = join(place.folder, peer.name);
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(peer.files(ports, folder)))
    writeFileSync(join(folder, name), text);
  const out = createWriteStream(join(folder, 'out.log'));
  await once(out, 'open');
  const argv = ['-c', String(place.core), ...peer.command(ports, folder)];
  const child = spawn('taskset', argv, {
    cwd: folder,
    env: { ...process.env, ...peer.environment },
    stdio: ['ignore', out, out],
  });
  await waitFor(ports.own, child, peer.name);
  return {
    name: peer.name,
    version: versionOf(peer.version) ?? '',
    pid: child.pid!,
    url: `http://127.0.0.1:${ports.own}/`,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await gone;
      clearTimeout(late);
    },
  };
}
