/** Plugins in a Node of their own, without any test runner, beside a user's project. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { folderOf } from '../kit/plugin.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** What `npm init -y` writes. */
const MANIFEST = '{"name":"project","version":"1.0.0","main":"index.js","type":"commonjs"}';

const MINE = `
import { definePlugin, gatewayError, parseDuration, z } from 'snowgate/plugin';
import { word } from './lib/word.ts';
interface Config { wait: string }
export default definePlugin<Config>({
  name: 'mine', summary: 'Mine.', config: z.strictObject({ wait: z.string() }),
  setup: (config: Config) => ({
    accept() { throw gatewayError('GW_RATE_LIMITED', word + parseDuration(config.wait)); },
  }),
});
`;

/** Loads, sets up and runs the user's plugin; edits what it imports; does so again. */
const SCRIPT = `
import { writeFileSync } from 'node:fs';
const [home, plugins] = process.argv.slice(2);
const from = (path) => import(home + '/src/' + path + '.ts');
const { builtInPlugins, loadPlugins } = await from('pipeline/load');
const { createInstance, instanceKey } = await from('pipeline/instances');
const { compileChain } = await from('pipeline/chain');
const { runBefore } = await from('pipeline/run');
const { GatewayError } = await from('kernel/errors');
const { systemClock } = await from('kernel/clock');
const warnings = [];
const log = { debug() {}, info() {}, warn: (message) => warnings.push(message), error() {} };
const use = { type: 'mine', config: { wait: '2s' }, path: ['plugins', 'mine'] };
const run = async () => {
  const folders = [builtInPlugins(), { path: plugins, origin: 'user' }];
  const { catalog, issues, files } = await loadPlugins(folders, log);
  const mine = catalog.get('mine');
  if (mine === undefined) throw new Error(JSON.stringify(issues));
  const parts = { scope: 'global', owner: '', log, clock: systemClock };
  const chain = compileChain([await createInstance(mine, use, parts)]);
  const { error } = runBefore(chain, {});
  return {
    plugins: [...catalog.keys()].sort(),
    issues,
    watched: files.filter((file) => file.startsWith(plugins)).length,
    same: error instanceof GatewayError,
    code: error.code,
    detail: error.detail,
    key: instanceKey(mine, use, 'global', ''),
  };
};
const first = await run();
const again = await run();
writeFileSync(plugins + '/lib/word.ts', "export const word: string = 'edited ';");
const edited = await run();
console.log(JSON.stringify({ first, again, edited, warnings }));
`;

const project = () => {
  const folder = folderOf({
    'package.json': MANIFEST,
    'plugins/mine.ts': MINE,
    'plugins/lib/word.ts': `export const word: string = 'first ';`,
    'script.mjs': SCRIPT,
  });
  return folder.path;
};

const check = (result: unknown) => {
  const { first, again, edited, warnings } = result as Record<
    'first' | 'again' | 'edited',
    Record<string, unknown>
  > & { warnings: unknown };
  expect(first).toMatchObject({
    plugins: expect.arrayContaining(['cors', 'headers', 'ip-filter', 'mine', 'redirect', 'respond']),
    issues: [],
    watched: 2,
    same: true,
    code: 'GW_RATE_LIMITED',
    detail: 'first 2000',
  });
  expect(again).toEqual(first);
  expect(edited).toMatchObject({ issues: [], detail: 'edited 2000' });
  expect(edited.key).not.toBe(first.key);
  expect(warnings).toEqual([]);
};

test('from a checkout, the plugins of a project that npm init -y made load and reload', async () => {
  const path = project();
  const args = [join(path, 'script.mjs'), checkout, join(path, 'plugins')];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stderr).toBe('');
  check(JSON.parse(stdout));
});
