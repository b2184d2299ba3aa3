/** One holder per worker number and host: a local socket held open, which dies with its process. */
import { unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface WorkerLock {
  /** Gives the number back; others can have it when the promise is fulfilled. */
  release(): Promise<void>;
}

/**
 * A file with a process ID goes stale and must be judged; a socket is closed by the kernel however its process
 * ends. Linux has names without files for them, Windows has pipes; elsewhere a file is left behind by a crash.
 */
const addressOf = (name: string): string => {
  if (process.platform === 'linux') return `\0${name}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  return join(tmpdir(), `${name}.sock`);
};

const isCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

const listen = (path: string): Promise<Server | null> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error) => (isCode(error, 'EADDRINUSE') ? resolve(null) : reject(error)));
    // Exclusive: in a cluster the primary would otherwise share one socket among all workers.
    server.listen({ path, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });

const isAlive = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error) => resolve(!isCode(error, 'ECONNREFUSED', 'ENOENT')));
  });

const removeStale = async (path: string): Promise<boolean> => {
  if (path.startsWith('\0') || process.platform === 'win32' || (await isAlive(path))) return false;
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
  return true;
};

/** Takes the lock at a socket's address, or gives null where it is held; a file that nobody listens on is taken over. */
export async function takeLockAt(path: string): Promise<WorkerLock | null> {
  let server = await listen(path);
  if (server === null && (await removeStale(path))) server = await listen(path);
  if (server === null) return null;
  const held = server;
  return { release: () => new Promise((resolve) => held.close(() => resolve())) };
}

/** Takes the lock of that name, or gives null where another process (or this one) holds it. */
export function takeLock(name: string): Promise<WorkerLock | null> {
  return takeLockAt(addressOf(name));
}
