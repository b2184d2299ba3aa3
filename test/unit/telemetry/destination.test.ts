import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDestination } from '../../../src/telemetry/destination.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'snowgate-destination-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const intoFile = async (use: (fd: number) => Promise<void>) => {
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  await use(fd);
  closeSync(fd);
  return readFileSync(path, 'utf8');
};

test('writes all it took, in order', async () => {
  const lines = Array.from({ length: 500 }, (_, at) => `line ${at} ❄️\n`);
  const text = await intoFile(async (fd) => {
    const destination = createDestination({ fd });
    for (const line of lines) expect(destination.write(line)).toBe(true);
    await destination.flush(5000);
  });
  expect(text).toBe(lines.join(''));
});

test('has nothing to wait for when all is written', async () => {
  await intoFile(async (fd) => {
    const destination = createDestination({ fd });
    await destination.flush(60_000);
    destination.write('a\n');
    await destination.flush(60_000);
    await destination.flush(60_000);
  });
});

test('the last words of a dying process come behind what was written before', async () => {
  const text = await intoFile(async (fd) => {
    const destination = createDestination({ fd });
    destination.write('first\n');
    await destination.flush(5000);
    destination.write('second\n');
    destination.write('last\n');
    destination.flushSync();
    await destination.flush(5000);
  });
  expect(text.split('\n').sort()).toEqual(['', 'first', 'last', 'second']);
});

const child = (script: string) => {
  const module = fileURLToPath(new URL('../../../src/telemetry/destination.ts', import.meta.url));
  const source = `import { createDestination } from ${JSON.stringify(module)};\n${script}`;
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
};

test('a reader that does not read stops nobody, and what is past the backlog is refused', async () => {
  // Nobody reads standard output until the child has said on standard error how it went.
  const writer = child(`
    const destination = createDestination({ backlogLimit: 1_000_000 });
    const line = 'x'.repeat(999) + '\\n';
    let taken = 0;
    let refused = 0;
    let turns = 0;
    const step = () => {
      for (let at = 0; at < 100; at++) destination.write(line) ? taken++ : refused++;
      if (++turns < 50) setImmediate(step);
      else {
        console.error(JSON.stringify({ taken, refused }));
        destination.flush(10_000).then(() => console.error('done'));
      }
    };
    step();`);
  let said = '';
  let read = 0;
  const count = (chunk: Buffer) => {
    read += chunk.length;
  };
  writer.stderr.setEncoding('utf8').on('data', (text: string) => {
    const waits = !said.includes('}');
    said += text;
    if (waits && said.includes('}')) writer.stdout.on('data', count);
  });
  const status = await new Promise((resolve) => writer.on('close', resolve));
  expect(said).toContain('done');
  const { taken, refused } = JSON.parse(said.split('\n', 1)[0]!) as { taken: number; refused: number };
  expect(status).toBe(0);
  expect(taken + refused).toBe(5000);
  expect(refused).toBeGreaterThan(3000);
  expect(read).toBe(taken * 1000);
});

test('waits no longer than it is told for a reader that is stuck', async () => {
  const writer = child(`
    const destination = createDestination();
    destination.write('x'.repeat(1_000_000));
    const startMs = performance.now();
    destination.flush(50).then(() => {
      console.error(Math.round(performance.now() - startMs));
      globalThis.process.kill(globalThis.process.pid, 'SIGKILL');
    });`);
  let said = '';
  writer.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await new Promise((resolve) => writer.on('exit', resolve));
  writer.stdout.destroy();
  expect(Number(said)).toBeGreaterThanOrEqual(45);
  expect(Number(said)).toBeLessThan(5000);
});

test('a reader that has gone is noticed, and the process lives on', async () => {
  const writer = child(`
    const destination = createDestination();
    const step = () => {
      if (destination.write('x\\n')) setTimeout(step, 1);
      else console.error('refused');
    };
    step();`);
  let said = '';
  writer.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  writer.stdout.once('data', () => writer.stdout.destroy());
  const status = await new Promise((resolve) => writer.on('close', resolve));
  expect(said).toBe('refused\n');
  expect(status).toBe(0);
});

test('a pipe in non-blocking mode is waited for, not given up', async () => {
  // Whoever shares our standard output may have set O_NONBLOCK on it, as Node's own sockets do.
  const writer = child(`
    import { Socket } from 'node:net';
    const other = new Socket({ fd: 1 });
    const destination = createDestination();
    for (let at = 0; at < 2000; at++) destination.write('y'.repeat(999) + '\\n');
    setTimeout(() => console.error('wrote'), 100);
    destination.flush(10_000).then(() => other.destroy());`);
  let read = 0;
  writer.stderr.once('data', () => {
    writer.stdout.on('data', (chunk: Buffer) => {
      read += chunk.length;
    });
  });
  const status = await new Promise((resolve) => writer.on('close', resolve));
  expect(status).toBe(0);
  expect(read).toBe(2_000_000);
});

/** Runs the script with standard output into a pipe that `reader` (a shell command) holds; gives what it said. */
const intoPipe = async (script: string, reader: string, done: RegExp) => {
  const path = join(folder, 'writer.ts');
  const module = fileURLToPath(new URL('../../../src/telemetry/destination.ts', import.meta.url));
  writeFileSync(path, `import { createDestination } from ${JSON.stringify(module)};\n${script}`);
  const line = `{ "${process.execPath}" "${path}"; echo "status $?" >&2; } | ${reader}`;
  const shell = spawn('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  const ended = Promise.withResolvers<void>();
  const take = (text: string) => {
    said += text;
    if (done.test(said)) ended.resolve();
  };
  shell.stdout.setEncoding('utf8').on('data', take);
  shell.stderr.setEncoding('utf8').on('data', take);
  await ended.promise;
  // The reader may sleep on; its group is ours alone.
  if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGKILL');
  return said;
};

test('everything comes through a pipe, in order, at the reader’s pace', async () => {
  const script = `
    const destination = createDestination({ backlogLimit: 20_000_000 });
    for (let at = 0; at < 100_000; at++) destination.write('line ' + at + '\\n');
    await destination.flush(20_000);`;
  const order = `awk '$2 != NR - 1 { bad++ } END { print "read " NR " wrong " bad + 0 }'`;
  const said = await intoPipe(script, order, /read[\s\S]*status|status[\s\S]*read/);
  expect(said).toContain('read 100000 wrong 0');
  expect(said).toContain('status 0');
});

test.each([
  ['by itself', ''],
  ['by process.exit', 'process.exit(0);'],
  ['after its last words', 'destination.flushSync(); process.exit(0);'],
])('a process whose log nobody reads still ends %s', async (_name, end) => {
  const script = `
    const destination = createDestination();
    for (let at = 0; at < 1000; at++) destination.write('x'.repeat(999) + '\\n');
    await destination.flush(100);
    ${end}`;
  expect(await intoPipe(script, 'sleep 60', /status/)).toContain('status 0');
});
