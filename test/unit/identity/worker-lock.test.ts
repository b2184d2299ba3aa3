/** The lock by a socket's file, for systems whose sockets have no names of their own. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLockAt } from '../../../src/identity/worker-lock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'snowgate-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a held file is not taken, and a released one is', async () => {
  const path = join(folder, 'a.sock');
  const first = await takeLockAt(path);
  expect(first).not.toBeNull();
  expect(await takeLockAt(path)).toBeNull();
  await first!.release();
  const second = await takeLockAt(path);
  expect(second).not.toBeNull();
  await second!.release();
});

test('a file that a killed process left behind is taken over', async () => {
  const path = join(folder, 'a.sock');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL');
  expect(existsSync(path)).toBe(true);
  const lock = await takeLockAt(path);
  expect(lock).not.toBeNull();
  expect(await takeLockAt(path)).toBeNull();
  await lock!.release();
});

test('a place where no socket can be is an error, not a lock that is held', async () => {
  await expect(takeLockAt(join(folder, 'none', 'a.sock'))).rejects.toThrow();
});
