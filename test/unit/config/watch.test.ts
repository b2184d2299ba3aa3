/** Real changes on disk are told once, whatever way they are made; none is told where nothing changed. */
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FileWatch, watchFiles } from '../../../src/config/watch.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { createManualClock } from '../../kit/clock.ts';

let folder = '';
let open: FileWatch[] = [];
let changes = 0;
let told: (() => void) | null = null;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'snowgate-watch-')));
  changes = 0;
  told = null;
});
afterEach(() => {
  for (const watching of open) watching.close();
  open = [];
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);
const start = (...names: string[]): FileWatch => {
  const watching = watchFiles(names.map(at), systemClock, () => {
    changes++;
    told?.();
  });
  open.push(watching);
  return watching;
};

/** Waits until a change is told, no longer than before the poll would tell it. */
const change = async (make: () => void): Promise<void> => {
  const before = changes;
  const next = new Promise<void>((resolve) => {
    told = resolve;
  });
  make();
  await Promise.race([next, sleep(4000, undefined, { ref: false })]);
  expect(changes).toBe(before + 1);
};

test('a file that is written in place', async () => {
  writeFileSync(at('a.yaml'), '1');
  start('a.yaml');
  await change(() => writeFileSync(at('a.yaml'), '2'));
  await change(() => writeFileSync(at('a.yaml'), '3'));
});

test('an editor that writes another file and renames it over', async () => {
  writeFileSync(at('a.yaml'), '1');
  start('a.yaml');
  for (const text of ['2', '3', '4'])
    await change(() => {
      writeFileSync(at('.a.yaml.swp'), text);
      renameSync(at('.a.yaml.swp'), at('a.yaml'));
    });
});

test('an editor that moves the old file away first', async () => {
  writeFileSync(at('a.yaml'), '1');
  start('a.yaml');
  await change(() => {
    renameSync(at('a.yaml'), at('a.yaml~'));
    writeFileSync(at('a.yaml'), '2');
  });
  await change(() => writeFileSync(at('a.yaml'), '3'));
});

test('links that are swapped as Kubernetes does it', async () => {
  const version = (name: string, text: string) => {
    mkdirSync(at(name));
    writeFileSync(at(`${name}/a.yaml`), text);
  };
  version('..v1', '1');
  symlinkSync('..v1', at('..data'));
  symlinkSync('..data/a.yaml', at('a.yaml'));
  start('a.yaml');
  for (const [next, old] of [
    ['..v2', '..v1'],
    ['..v3', '..v2'],
  ] as const)
    await change(() => {
      version(next, next);
      symlinkSync(next, at('..data_tmp'));
      renameSync(at('..data_tmp'), at('..data'));
      rmSync(at(old), { recursive: true });
    });
});

test('a file that is deleted and comes back', async () => {
  writeFileSync(at('a.yaml'), '1');
  start('a.yaml');
  await change(() => unlinkSync(at('a.yaml')));
  await change(() => writeFileSync(at('a.yaml'), '1'));
});

test('a file that was not there, in a folder that was not there', async () => {
  start('deep/down/a.yaml');
  mkdirSync(at('deep/down'), { recursive: true });
  await change(() => writeFileSync(at('deep/down/a.yaml'), '1'));
});

test('a folder that is replaced by another', async () => {
  mkdirSync(at('conf'));
  writeFileSync(at('conf/a.yaml'), '1');
  start('conf/a.yaml');
  await change(() => {
    mkdirSync(at('conf.new'));
    writeFileSync(at('conf.new/a.yaml'), '2');
    renameSync(at('conf'), at('conf.old'));
    renameSync(at('conf.new'), at('conf'));
  });
  await change(() => writeFileSync(at('conf/a.yaml'), '3'));
});

test('a folder stands for the files in it, also below', async () => {
  mkdirSync(at('plugins/lib'), { recursive: true });
  writeFileSync(at('plugins/a.ts'), '1');
  start('plugins');
  await change(() => writeFileSync(at('plugins/b.ts'), '1'));
  await change(() => writeFileSync(at('plugins/lib/c.ts'), '1'));
  await change(() => writeFileSync(at('plugins/lib/c.ts'), '2'));
  await change(() => unlinkSync(at('plugins/a.ts')));
});

test('a touch, the same content again and a stranger are no change', () => {
  const clock = createManualClock();
  writeFileSync(at('a.yaml'), '1');
  open.push(watchFiles([at('a.yaml')], clock, () => changes++));
  const before = new Date(clock.wallMs());
  for (const make of [
    () => utimesSync(at('a.yaml'), before, before),
    () => writeFileSync(at('a.yaml'), '1'),
    () => writeFileSync(at('stranger'), '1'),
  ]) {
    make();
    clock.advance(5000);
    expect(changes).toBe(0);
  }
  writeFileSync(at('a.yaml'), '2');
  clock.advance(5000);
  expect(changes).toBe(1);
});

test('many writes in a row are told once', async () => {
  writeFileSync(at('a.yaml'), '1');
  start('a.yaml');
  await change(() => {
    for (let count = 0; count < 50; count++) writeFileSync(at('a.yaml'), `${count}`);
  });
});

test('other files after an update', async () => {
  writeFileSync(at('a'), '1');
  writeFileSync(at('b'), '1');
  const watching = start('a');
  watching.update([at('b')]);
  await change(() => writeFileSync(at('b'), '2'));
});

test('nothing is left after the end', () => {
  const clock = createManualClock();
  writeFileSync(at('a'), '1');
  const watching = watchFiles([at('a')], clock, () => changes++);
  watching.close();
  watching.close();
  writeFileSync(at('a'), '2');
  watching.update([at('a')]);
  clock.advance(60_000);
  expect([changes, clock.pending]).toEqual([0, 0]);
});

test('an edit between the change and the update is told', async () => {
  writeFileSync(at('a'), '1');
  const watching = start('a');
  await change(() => {
    writeFileSync(at('a'), '2');
    watching.update([at('a')]);
  });
});

test('where no event comes, the poll sees it', () => {
  const clock = createManualClock();
  writeFileSync(at('a'), '1');
  const watching = watchFiles([at('a')], clock, () => changes++);
  open.push(watching);
  writeFileSync(at('a'), '22');
  expect(changes).toBe(0);
  clock.advance(5000);
  expect(changes).toBe(1);
  clock.advance(60_000);
  expect(changes).toBe(1);
  watching.close();
  expect(clock.pending).toBe(0);
});

test('links that go in circles and names below a file do not throw', () => {
  symlinkSync('b', at('a'));
  symlinkSync('a', at('b'));
  writeFileSync(at('c'), '1');
  start('a', 'c/d/e', 'x\0y');
});
