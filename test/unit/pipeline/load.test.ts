/** Loading plugin files: found, checked, read as modules, read again when changed. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builtInPlugins, loadPlugins } from '../../../src/pipeline/load.ts';
import type { Hooks, Plugin } from '../../../src/plugin.ts';
import { exchangeOf, folderOf, keepingLogger, testHost } from '../../kit/plugin.ts';

const source = (name: string, value = "'first'", top = '') => `${top}
import { definePlugin, reply, z } from 'snowgate/plugin';
const value: string = ${value};
export default definePlugin({
  name: '${name}', summary: 'One.', config: z.strictObject({}),
  setup: () => ({ accept: () => reply(200, { 'x-value': value }) }),
});
`;

const load = (...paths: string[]) =>
  loadPlugins(
    paths.map((path) => ({ path, origin: 'user' as const })),
    keepingLogger(),
  );

const answerOf = async (plugin: Plugin): Promise<unknown> => {
  const hooks: Hooks = await plugin.setup({}, { ...testHost(), instance: 'i', slot: 0 });
  const answer = await hooks.accept?.(exchangeOf());
  return answer?.fields['x-value'];
};

test('the built-in plugins load without an issue', async () => {
  const { catalog, issues, files } = await loadPlugins([builtInPlugins()], keepingLogger());
  expect(issues).toEqual([]);
  expect([...catalog.keys()].sort()).toEqual(
    expect.arrayContaining(['cors', 'headers', 'ip-filter', 'redirect', 'respond']),
  );
  expect(files).toEqual(expect.arrayContaining([expect.stringMatching(/cors\.ts$/)]));
});

for (const [beside, manifest] of [
  ['without a package.json', null],
  ['with the package.json of npm init -y', '{"name":"x","version":"1.0.0","type":"commonjs"}'],
  ['with a package.json without a type', '{"name":"x"}'],
] as const) {
  test(`a user's TypeScript file ${beside} is read as a module`, async () => {
    const folder = folderOf({ 'plugins/mine.ts': source('mine') });
    if (manifest !== null) folder.write('package.json', manifest);
    const { catalog, issues } = await load(join(folder.path, 'plugins'));
    expect(issues).toEqual([]);
    expect(await answerOf(catalog.get('mine')!.plugin)).toBe('first');
  });
}

test('JavaScript files are read as modules too, and the API is the gateway’s whatever is installed beside', async () => {
  const folder = folderOf({
    'package.json': '{"type":"commonjs"}',
    'node_modules/snowgate/package.json': '{"name":"snowgate","exports":{"./plugin":"./plugin.js"}}',
    'node_modules/snowgate/plugin.js': 'throw new Error("the wrong one")',
    'plugins/mine.js': source('mine').replace(': string', ''),
    'plugins/other.mjs': source('other').replace(': string', ''),
  });
  const { catalog, issues } = await load(join(folder.path, 'plugins'));
  expect(issues).toEqual([]);
  expect([...catalog.keys()]).toEqual(['mine', 'other']);
});

test('a folder that is not there holds no plugins', async () => {
  const { catalog, issues } = await load('/nowhere/plugins');
  expect([catalog.size, issues]).toEqual([0, []]);
});

test('hidden, underscored, test and declaration files, and folders, are no plugins', async () => {
  const bad = 'throw new Error("read")';
  const folder = folderOf({
    '.a.ts': bad,
    '_b.ts': bad,
    'c.d.ts': bad,
    'd.test.ts': bad,
    'lib/e.ts': bad,
    'f.txt': bad,
    'mine.ts': source('mine'),
  });
  const { catalog, issues } = await load(folder.path);
  expect([[...catalog.keys()], issues]).toEqual([['mine'], []]);
});

test('a user’s plugin takes the place of a built-in one, with a warning that names the file', async () => {
  const folder = folderOf({ 'my-cors.ts': source('cors') });
  const { catalog, issues } = await loadPlugins(
    [builtInPlugins(), { path: folder.path, origin: 'user' }],
    keepingLogger(),
  );
  expect(catalog.get('cors')).toMatchObject({ origin: 'user' });
  expect(issues).toEqual([
    expect.objectContaining({ severity: 'warning', file: expect.stringMatching(/my-cors\.ts$/) }),
  ]);
});

test('the same folder as built-in and as the user’s is read once', async () => {
  const builtIn = builtInPlugins();
  const link = join(folderOf({}).path, 'plugins');
  symlinkSync(builtIn.path, link);
  const { issues } = await loadPlugins([builtIn, { path: link, origin: 'user' }], keepingLogger());
  expect(issues).toEqual([]);
});

test('two files of one name are an error that names both', async () => {
  const folder = folderOf({ 'a.ts': source('same'), 'b.ts': source('same') });
  const { catalog, issues } = await load(folder.path);
  expect(catalog.get('same')?.file).toMatch(/a\.ts$/);
  expect(issues).toEqual([
    expect.objectContaining({ severity: 'error', file: expect.stringMatching(/b\.ts$/) }),
  ]);
  expect(issues[0]?.message).toContain('a.ts');
});

const BROKEN: [what: string, text: string, message: RegExp, line: number | null][] = [
  ['a syntax error', `\n\nconst = 5;\n`, /./, 3],
  ['a throw at its top', `\nconst a: number = 1;\nthrow new Error('no luck ' + a);\n`, /no luck 1/, 3],
  ['TypeScript that cannot be erased', `\nenum A { B }\nexport default A;\n`, /enum/, 2],
  ['no default export', `export const a = 1;\n`, /default export/, null],
  ['a missing package', `import 'not-installed-anywhere';\n`, /not-installed-anywhere/, null],
  ['a missing local file', `import './lib/none.ts';\n`, /none\.ts/, null],
  ['no summary', `export default { name: 'a' };\n`, /summary/, null],
  ['a bad name', `export default { name: 'A b' };\n`, /name/, null],
  ['no schema', `export default { name: 'a', summary: 'b', config: {} };\n`, /schema/, null],
  [
    'no setup',
    `import { z } from 'snowgate/plugin';\nexport default { name: 'a', summary: 'b', config: z.object({}) };\n`,
    /setup/,
    null,
  ],
  ['a throw of nothing', `throw undefined;\n`, /undefined/, null],
];

for (const [what, text, message, line] of BROKEN) {
  test(`a file with ${what} is an issue that names it, and its neighbours load`, async () => {
    const folder = folderOf({ 'bad.ts': text, 'good.ts': source('good') });
    const { catalog, issues, files } = await load(folder.path);
    expect([...catalog.keys()]).toEqual(['good']);
    expect(issues).toEqual([
      {
        severity: 'error',
        file: expect.stringMatching(/bad\.ts$/),
        line: line === null ? expect.toSatisfy((l) => l === null || typeof l === 'number') : line,
        message: expect.stringMatching(message),
      },
    ]);
    expect(issues[0]?.message).not.toContain('?v=');
    expect(files.some((file) => file.endsWith('bad.ts'))).toBe(true);
  });
}

test('an unchanged file keeps its module and version; a changed one is read again', async () => {
  const folder = folderOf({ 'mine.ts': source('mine') });
  const first = (await load(folder.path)).catalog.get('mine')!;
  expect((await load(folder.path)).catalog.get('mine')).toEqual(first);
  folder.write('mine.ts', source('mine', "'second'"));
  const second = (await load(folder.path)).catalog.get('mine')!;
  expect(second.version).not.toBe(first.version);
  expect([await answerOf(first.plugin), await answerOf(second.plugin)]).toEqual(['first', 'second']);
});

test('a change two local imports away reads the plugin again, and is among the files to watch', async () => {
  const folder = folderOf({
    'package.json': '{"type":"commonjs"}',
    'plugins/mine.ts': source('mine', 'far', `import { far } from '../lib/near.ts';`),
    'lib/near.ts': `export { far } from './far.ts';`,
    'lib/far.ts': `export const far: string = 'one';`,
  });
  const path = join(folder.path, 'plugins');
  const first = await load(path);
  expect(first.issues).toEqual([]);
  expect(first.files.map((file) => file.slice(file.lastIndexOf('/') + 1))).toEqual([
    'far.ts',
    'near.ts',
    'mine.ts',
  ]);
  expect(await answerOf(first.catalog.get('mine')!.plugin)).toBe('one');
  folder.write('lib/far.ts', `export const far: string = 'two';`);
  expect(await answerOf((await load(path)).catalog.get('mine')!.plugin)).toBe('two');
});

test('a file that could not be read loads once what it missed is there', async () => {
  const folder = folderOf({ 'mine.ts': source('mine', 'late', `import { late } from './lib/late.ts';`) });
  const first = await load(folder.path);
  expect(first.issues).toHaveLength(1);
  expect(first.files.some((file) => file.endsWith('lib/late.ts'))).toBe(true);
  folder.write('lib/late.ts', `export const late = 'here';`);
  const second = await load(folder.path);
  expect(second.issues).toEqual([]);
  expect(await answerOf(second.catalog.get('mine')!.plugin)).toBe('here');
});

test('a file with errors that is mended loads, and one that is broken later is an issue', async () => {
  const folder = folderOf({ 'mine.ts': 'const = 1' });
  expect((await load(folder.path)).issues).toHaveLength(1);
  folder.write('mine.ts', source('mine'));
  expect((await load(folder.path)).issues).toEqual([]);
  folder.write('mine.ts', 'const = 1');
  const { catalog, issues } = await load(folder.path);
  expect([catalog.size, issues.length]).toEqual([0, 1]);
});

test('a hundred old versions are worth a warning', async () => {
  const folder = folderOf({});
  const log = keepingLogger();
  for (let at = 0; at < 102; at++) {
    folder.write('mine.ts', source('mine', `'${at}'`));
    await loadPlugins([{ path: folder.path, origin: 'user' }], log);
  }
  expect(log.lines).toEqual([
    { level: 'warn', message: expect.stringMatching(/old versions/), fields: { count: expect.any(Number) } },
  ]);
});

test('a file that is imported only when a request comes is of the plugin’s own version, and watched', async () => {
  const late = `(await import('./lib/late.ts')).late`;
  const text = source('mine')
    .replace("{ 'x-value': value }", '{}')
    .replace('accept: () =>', 'accept: async () =>');
  const folder = folderOf({
    'mine.ts': text.replace('reply(200, {})', `reply(200, { 'x-value': ${late} })`),
    'lib/late.ts': `export const late = 'one';`,
  });
  const first = (await load(folder.path)).catalog.get('mine')!;
  expect(await answerOf(first.plugin)).toBe('one');
  const { files } = await load(folder.path);
  expect(files.some((file) => file.endsWith('late.ts'))).toBe(true);
  folder.write('lib/late.ts', `export const late = 'two';`);
  const second = (await load(folder.path)).catalog.get('mine')!;
  expect([await answerOf(second.plugin), await answerOf(first.plugin)]).toEqual(['two', 'one']);
});

test('names with spaces, % and ? are no hindrance', async () => {
  const folder = folderOf({
    'a b/my 100%?#.ts': source('mine', 'word', `import { word } from './lib%3F.ts';`),
    'a b/lib?.ts': `export const word: string = 'odd';`,
  });
  const { catalog, issues } = await load(join(folder.path, 'a b'));
  expect(issues.filter((issue) => !issue.file.endsWith('lib?.ts'))).toEqual([]);
  expect(await answerOf(catalog.get('mine')!.plugin)).toBe('odd');
});

test('a file that is as it was before is read anew, with what it imports as that is now', async () => {
  const importing = source('mine', 'word', `import { word } from './lib/word.ts';`);
  const folder = folderOf({ 'mine.ts': importing, 'lib/word.ts': `export const word = 'one';` });
  const now = async () => {
    const { catalog, issues, files } = await load(folder.path);
    expect(issues).toEqual([]);
    return [await answerOf(catalog.get('mine')!.plugin), files.length];
  };
  expect(await now()).toEqual(['one', 2]);
  folder.write('mine.ts', source('mine', "'alone'"));
  expect(await now()).toEqual(['alone', 1]);
  folder.write('lib/word.ts', `export const word = 'two';`);
  folder.write('mine.ts', importing);
  expect(await now()).toEqual(['two', 2]);
  const kept = (await load(folder.path)).catalog.get('mine')!.version;
  expect((await load(folder.path)).catalog.get('mine')!.version).toBe(kept);
  folder.write('lib/word.ts', `export const word = 'three';`);
  expect(await now()).toEqual(['three', 2]);
});
