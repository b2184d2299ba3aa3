/** The gateway as an installed package: its plugin parts as JavaScript under node_modules, in an empty project. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the plugin parts consist of. */
const PARTS = ['src/kernel', 'src/wire', 'src/config', 'src/pipeline', 'src/plugin.ts', 'plugins'];

const sources = (): string[] =>
  PARTS.flatMap((part) =>
    part.endsWith('.ts')
      ? [part]
      : readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.ts'))
          .map((name) => join(part, name)),
  );

/** Puts the package into `node_modules/snowgate` of the project, as a build would. */
export function installPackage(project: string): void {
  const home = join(project, 'node_modules/snowgate');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{"name":"snowgate","type":"module","exports":{}}');
  for (const name of ['zod', 'yaml', 'ipaddr.js']) {
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
  }
  for (const source of sources()) {
    const target = join(home, 'dist', source.replace(/\.ts$/, '.js'));
    const code = stripTypeScriptTypes(readFileSync(join(root, source), 'utf8'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code.replaceAll(/(from\s+'\.{1,2}\/[^']+)\.ts'/g, "$1.js'"));
  }
}

/** Runs a module in a Node of its own, without any test runner, and gives what it prints as JSON. */
export async function runNode(file: string, ...args: string[]): Promise<unknown> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, ...args]);
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout);
}
