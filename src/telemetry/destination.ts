/** Writes log text to a file descriptor without ever making the event loop, or the end of the process, wait. */
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { keepAlive } from '../kernel/keep-alive.ts';

export interface LogDestination {
  /**
   * Takes whole lines; bytes must not change afterwards.
   * False when the backlog is full or the reader has gone: they were dropped.
   */
  write(lines: string | Uint8Array): boolean;
  /** Resolves once everything that was taken is written, or after `waitMs` when the reader is stuck. */
  flush(waitMs: number): Promise<void>;
  /** Writes what is left at once, as far as the reader takes it; for the last words of a process that dies. */
  flushSync(): void;
}

export interface DestinationOptions {
  /** Default: 1, standard output. */
  readonly fd?: number;
  readonly clock?: Clock;
  /** Bytes that may wait for a slow reader before lines are dropped; default 4 Mi. */
  readonly backlogLimit?: number;
}

const BACKLOG_LIMIT = 4 * 1024 * 1024;
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 32;
const SYNC_TRIES = 50;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/**
 * Opens the same pipe or terminal once more, in a mode that never blocks; null where that is not possible.
 * Opening anew leaves the mode of those alone who share our standard output.
 */
const openUnblocked = (fd: number): number | null => {
  const kind = fstatSync(fd);
  if (!kind.isFIFO() && !kind.isCharacterDevice()) return null;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    // ENOENT: no /proc here; EACCES: the pipe is another user's; ENXIO: the reader has gone, which a write will tell.
    if (codeOf(error) !== '') return null;
    throw error;
  }
};

/**
 * Makes a destination.
 * Node's own `process.stdout` writes to a pipe synchronously, so a blocked reader would stop the whole gateway;
 * and a write in the thread pool that blocks keeps the process from ever ending. So pipes and terminals are
 * written to in non-blocking mode, files (which do not block for long) and sockets in the thread pool.
 */
export function createDestination(options: DestinationOptions = {}): LogDestination {
  const given = options.fd ?? 1;
  const unblocked = openUnblocked(given);
  const fd = unblocked ?? given;
  const clock = options.clock ?? systemClock;
  const limit = options.backlogLimit ?? BACKLOG_LIMIT;
  let waiting: Uint8Array[] = [];
  let waitingSize = 0;
  /** What is being written; null when there is nothing to do. */
  let flying: Uint8Array | null = null;
  /** A thread of the pool is writing; after `flushSync` it may be all there is to wait for. */
  let pooled = false;
  let retryMs = FIRST_RETRY_MS;
  let retrying = false;
  let broken = false;
  let idle: (() => void)[] = [];

  const take = (): Uint8Array | null => {
    if (waiting.length === 0) return null;
    const bytes = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
    waiting = [];
    waitingSize = 0;
    return bytes;
  };

  const wrote = (count: number) => {
    retryMs = FIRST_RETRY_MS;
    flying = flying !== null && count < flying.length ? flying.subarray(count) : take();
  };

  const failed = (error: unknown) => {
    if (codeOf(error) === 'EAGAIN') {
      retrying = true;
      clock.after(retryMs, () => {
        retrying = false;
        work();
      });
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      return;
    }
    // The reader has gone for good (EPIPE), or the disk is full, which may pass: no line may pile up for either.
    broken = codeOf(error) !== 'ENOSPC';
    waiting = [];
    waitingSize = 0;
    flying = null;
  };

  const settle = () => {
    if (flying !== null || pooled) return;
    const ready = idle;
    idle = [];
    for (const done of ready) done();
  };

  const writeNow = () => {
    while (flying !== null && !retrying) {
      try {
        wrote(writeSync(fd, flying));
      } catch (error) {
        failed(error);
      }
    }
    settle();
  };

  const landed = (error: NodeJS.ErrnoException | null, count: number) => {
    pooled = false;
    if (error === null) wrote(count);
    else failed(error);
    settle();
    if (!retrying) work();
  };

  const work = () => {
    if (flying === null) return;
    if (unblocked !== null) {
      writeNow();
      return;
    }
    pooled = true;
    write(fd, flying, 0, flying.length, null, landed);
  };

  return {
    write(lines) {
      const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
      if (broken || waitingSize + (flying?.length ?? 0) + bytes.length > limit) return false;
      waiting.push(bytes);
      waitingSize += bytes.length;
      if (flying === null && !pooled) {
        flying = take();
        work();
      }
      return !broken;
    },
    flush(waitMs) {
      if (flying === null && !pooled) return Promise.resolve();
      const release = keepAlive();
      return new Promise<void>((resolve) => {
        const timer = clock.after(waitMs, resolve);
        idle.push(() => {
          timer.cancel();
          resolve();
        });
      }).finally(release);
    },
    flushSync() {
      // A write in the thread pool has its bytes already; where there is none, they are still ours.
      if (unblocked === null || flying === null) flying = take();
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (let tries = 0; flying !== null && !broken && tries < SYNC_TRIES; ) {
        try {
          wrote(writeSync(fd, flying));
        } catch (error) {
          // A full pipe may drain in a moment; any other failure is final and there is nobody left to tell.
          if (codeOf(error) !== 'EAGAIN') return;
          Atomics.wait(pause, 0, 0, 2);
          tries++;
        }
      }
    },
  };
}
