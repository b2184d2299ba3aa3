/** The worker number: where it comes from, and that no two on one host hold the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import {
  chooseWorker,
  ordinalOf,
  type WorkerNumber,
  type WorkerOptions,
} from '../../../src/identity/worker.ts';
import { createSeededRandom } from '../../kit/clock.ts';

const scope = `snowgate-test-${process.pid}`;
const held: WorkerNumber[] = [];
const warnings: string[] = [];

const choose = async (more: Partial<WorkerOptions> = {}): Promise<WorkerNumber> => {
  const chosen = await chooseWorker({
    wanted: 'auto',
    datacenter: 0,
    bits: 3,
    random: createSeededRandom(1),
    warn: (message) => warnings.push(message),
    hostName: 'plain',
    scope,
    ...more,
  });
  held.push(chosen);
  return chosen;
};

afterEach(async () => {
  for (const chosen of held.splice(0)) await chosen.release();
  warnings.length = 0;
});

test.each([
  ['gateway-3', 3],
  ['gateway-0', 0],
  ['my-gateway-12', 12],
  ['gateway-3.gateway.default.svc', 3],
  ['web-01', 1],
  ['gateway', null],
  ['gateway3', null],
  ['ip-10-0-0-12', null],
  ['gateway-7d9f8b6c5-x2k9p', null],
  ['', null],
])('the ordinal of %j is %j', (name, ordinal) => {
  expect(ordinalOf(name)).toBe(ordinal);
});

test('a given number is taken without a warning', async () => {
  expect(await choose({ wanted: 5 })).toMatchObject({ worker: 5, source: 'given' });
  expect(warnings).toEqual([]);
});

test('a given number that is in use or too large is refused', async () => {
  await choose({ wanted: 5 });
  await expect(choose({ wanted: 5 })).rejects.toThrow(/5 is in use/);
  await expect(choose({ wanted: 8 })).rejects.toThrow(/0 to 7/);
  expect(await choose({ wanted: 5, datacenter: 1 })).toMatchObject({ worker: 5 });
});

test('the ordinal of the host is taken by one process, and the next draws', async () => {
  expect(await choose({ hostName: 'gateway-2' })).toMatchObject({ worker: 2, source: 'ordinal' });
  expect(warnings).toEqual([]);
  const second = await choose({ hostName: 'gateway-2' });
  expect(second.source).toBe('random');
  expect(second.worker).not.toBe(2);
  expect(warnings).toEqual([expect.stringContaining('another process on this host has number 2')]);
});

test('an ordinal that does not fit is no number', async () => {
  expect((await choose({ hostName: 'gateway-8' })).source).toBe('random');
  expect(warnings[0]).toContain('does not fit into 3 bits');
});

test('drawn numbers differ until all are taken, and one given back is free again', async () => {
  const all = [];
  for (let at = 0; at < 8; at++) all.push(await choose());
  expect(new Set(all.map((one) => one.worker)).size).toBe(8);
  await expect(choose()).rejects.toThrow(/All 8 worker numbers are in use/);
  await all[3]!.release();
  expect((await choose()).worker).toBe(all[3]!.worker);
});

test('many that choose at once never share', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => choose({ random: createSeededRandom(9) })));
  expect(new Set(all.map((one) => one.worker)).size).toBe(8);
});

test('another process holds its number until it dies, however it dies', async () => {
  const module = new URL('../../../src/identity/worker.ts', import.meta.url).href;
  const script = `
    const { chooseWorker } = await import(${JSON.stringify(module)});
    await chooseWorker({ wanted: 6, datacenter: 0, bits: 3, warn() {}, scope: ${JSON.stringify(scope)} });
    process.stdout.write('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    await expect(choose({ wanted: 6 })).rejects.toThrow(/in use/);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  expect(await choose({ wanted: 6 })).toMatchObject({ worker: 6 });
});
