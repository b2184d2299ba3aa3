/** What is printed for each configuration in `config/`; UPDATE=1 writes it anew. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatIssues } from '../../src/config/format.ts';
import { type Loaded, loadConfig } from '../../src/config/load.ts';

const folder = fileURLToPath(new URL('config/', import.meta.url));
const before = process.cwd();
// Messages name the file as it was given, and goldens must not hold this checkout's folder.
beforeAll(() => process.chdir(folder));
afterAll(() => process.chdir(before));

const directive = (text: string, name: string): string =>
  new RegExp(`^\\uFEFF?# ${name}: (.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';

const envOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    directive(text, 'env')
      .split(' ')
      .filter((pair) => pair !== '')
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );

const show = (loaded: Loaded, what: string): string => {
  if (loaded.config === null) return 'refused';
  if (what === 'names') return loaded.config.routes.map((route) => route.name).join('\n');
  if (what === '') return 'good';
  const shown = what === 'routes' ? loaded.config.routes : loaded.config;
  return JSON.stringify(shown, null, 1).replaceAll(JSON.stringify(folder.slice(0, -1)).slice(1, -1), '.');
};

const cases = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

test('there are at least forty cases', () => {
  expect(cases.length).toBeGreaterThan(40);
});

for (const name of cases) {
  test(`config/${name}`, () => {
    const text = readFileSync(join(folder, name), 'utf8');
    const loaded = loadConfig(name, envOf(text));
    const issues = formatIssues(loaded.issues, loaded, false);
    const printed = `${issues}${issues === '' ? '' : '\n\n'}${show(loaded, directive(text, 'print'))}\n`;
    const golden = join(folder, `${basename(name, '.yaml')}.txt`);
    if (process.env.UPDATE === '1') writeFileSync(golden, printed);
    expect(printed).toBe(readFileSync(golden, 'utf8'));
    expect(printed + JSON.stringify(loaded.issues)).not.toMatch(/hunter2|top-secret|41424344/);
    expect(loaded.config === null).toBe(loaded.issues.some((issue) => issue.severity === 'error'));
  });
}
