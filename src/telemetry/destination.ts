/** Writes log text to a file descriptor without ever making the event loop wait for its reader. */
import { write, writeSync } from 'node:fs';
import { type Clock, systemClock } from '../kernel/clock.ts';

export interface LogDestination {
  /**
   * Takes whole lines; bytes must not change afterwards.
   * False when the backlog is full or the reader has gone: they were dropped.
   */
  write(lines: string | Uint8Array): boolean;
  /** Resolves once everything that was taken is written, or after `waitMs` when the reader is stuck. */
  flush(waitMs: number): Promise<void>;
  /** Writes what is left at once; for the last words of a process that dies. */
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
const RETRY_MS = 20;
const SYNC_TRIES = 50;

const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/**
 * Makes a destination.
 * Node's own `process.stdout` writes to a pipe synchronously, so a blocked reader would stop the whole
 * gateway; here one write at a time runs in the thread pool and the rest waits in a bounded backlog.
 */
export function createDestination(options: DestinationOptions = {}): LogDestination {
  const fd = options.fd ?? 1;
  const clock = options.clock ?? systemClock;
  const limit = options.backlogLimit ?? BACKLOG_LIMIT;
  let waiting: Uint8Array[] = [];
  let waitingSize = 0;
  let flying: Uint8Array | null = null;
  let flyingSize = 0;
  let broken = false;
  let idle: (() => void)[] = [];

  const settle = () => {
    const ready = idle;
    idle = [];
    for (const done of ready) done();
  };

  const take = (): Uint8Array => {
    const bytes = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
    flyingSize = waitingSize;
    waiting = [];
    waitingSize = 0;
    return bytes;
  };

  const launch = () => {
    if (flying !== null) write(fd, flying, 0, flying.length, null, landed);
  };

  const landed = (error: NodeJS.ErrnoException | null, count: number) => {
    if (error !== null && error.code === 'EAGAIN') {
      clock.after(RETRY_MS, launch);
      return;
    }
    if (error !== null) {
      // The reader has gone for good (EPIPE) or the disk is full: nothing here can help, and no line may pile up.
      broken = error.code !== 'ENOSPC';
      waiting = [];
      waitingSize = 0;
      flying = null;
    } else {
      flying = flying !== null && count < flying.length ? flying.subarray(count) : null;
      if (flying === null && waiting.length > 0) flying = take();
    }
    if (flying === null) {
      flyingSize = 0;
      settle();
    } else launch();
  };

  return {
    write(lines) {
      const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
      if (broken || waitingSize + flyingSize + bytes.length > limit) return false;
      waiting.push(bytes);
      waitingSize += bytes.length;
      if (flying === null) {
        flying = take();
        launch();
      }
      return true;
    },
    flush(waitMs) {
      if (flying === null) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = clock.after(waitMs, resolve);
        idle.push(() => {
          timer.cancel();
          resolve();
        });
      });
    },
    flushSync() {
      if (broken || waiting.length === 0) return;
      let rest = take();
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (let tries = 0; rest.length > 0 && tries < SYNC_TRIES; tries++) {
        try {
          rest = rest.subarray(writeSync(fd, rest));
        } catch (error) {
          // A full pipe may drain in a moment; any other failure is final and there is nobody left to tell.
          if (errorCode(error) !== 'EAGAIN') return;
          Atomics.wait(pause, 0, 0, 2);
        }
      }
    },
  };
}
