/** What a newcomer does with `npm start`: every line that it says to try does what it says beside it. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { run, start } from '../kit/command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bash = async (script: string, cwd: string) =>
  (await promisify(execFile)('bash', ['-c', script], { cwd })).stdout;

/** Ports that were free a moment ago, all different. */
const freePorts = async (count: number): Promise<number[]> => {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = servers.map(
    (server) =>
      new Promise<number>((resolve) =>
        server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
      ),
  );
  const all = await Promise.all(ports);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return all;
};

const isClosed = (url: string) =>
  fetch(url).then(
    () => false,
    () => true,
  );

/** The checkout with other ports, since 8080 may be taken where the tests run. */
const checkout = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), 'snowgate-first-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['gateway.yaml', 'package.json', 'examples'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of ['src', 'node_modules']) symlinkSync(join(root, name), join(folder, name));
  const files = ['gateway.yaml', 'examples/services.yaml', 'examples/start.mjs'].map((name) =>
    join(folder, name),
  );
  const texts = files.map((file) => readFileSync(file, 'utf8'));
  const used = [...new Set(texts.join('\n').match(/\b(?:80|90)\d\d\b/g))];
  const free = await freePorts(used.length);
  const moved = new Map(used.map((port, at) => [port, String(free[at])]));
  for (const [at, file] of files.entries())
    writeFileSync(
      file,
      texts[at]!.replace(/\b(?:80|90)\d\d\b/g, (port) => moved.get(port)!),
    );
  return folder;
};

test('each line that npm start says to try answers as said, and an edit shows at once, and a second start says why not', async () => {
  const folder = await checkout();
  const running = start([], { cwd: folder, program: join(folder, 'examples/start.mjs') });
  const [said, address] = await running.says(
    /Try, in another terminal:\n[\s\S]*?(http:\/\/[\d.:]+)[\s\S]*Ctrl-C stops/,
  );
  const lines = said.split('\n').filter((line) => /^ {2}\w/.test(line));
  expect(lines.filter((line) => line.includes('# '))).toHaveLength(lines.length - 1);
  const outputs = (await bash(lines.join('\necho "----"\n'), folder)).split('----\n');
  for (const [at, line] of lines.entries()) {
    const [, status] = /# (\d{3})/.exec(line) ?? [];
    if (status !== undefined) expect(`${line}\n${outputs[at]}`).toContain(`HTTP/1.1 ${status} `);
  }
  expect(outputs.join('')).toContain('"user":"alice"');
  expect(outputs.join('')).toContain('"friends":[{"id":"bob","name":"Bob"},{"id":"carol","name":"Carol"}]');

  const services = join(folder, 'examples/services.yaml');
  writeFileSync(services, readFileSync(services, 'utf8').replace(/^.*weight: 1\b.*\n/m, ''));
  const versions = async () => {
    const answers = await bash(`curl -s ${address}/orders/[1-12]`, folder);
    return new Set(answers.match(/"version":"\w+"/g));
  };
  await expect.poll(versions, { timeout: 10_000 }).toEqual(new Set(['"version":"v1"']));

  const second = await run([], { cwd: folder, program: join(folder, 'examples/start.mjs') });
  expect(second).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/in use.*\n.*Stop it first/) });

  running.process.kill('SIGTERM');
  expect((await running.ended()).code).toBe(0);
  expect(await isClosed(address!)).toBe(true);
});
