/** Keeps generated documents in step with the code; UPDATE=1 writes them anew. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createProgram } from '../src/cli.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Compares a file with what it should hold, or writes it. */
const expectFile = (path: string, text: string) => {
  if (process.env.UPDATE === '1') writeFileSync(join(root, path), text);
  expect(read(path)).toBe(text);
};

const firstSentence = (path: string) => /^\/\*\* (.*?) \*\//.exec(read(path))?.[1] ?? '';

const filesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .sort();

const tableOf = (room: string) => {
  const rows = filesOf(room).map(
    (path) => `| [${path.slice(room.length + 1)}](${path}) | ${firstSentence(path)} |`,
  );
  return `### ${room}\n\n| file | what it is for |\n| --- | --- |\n${rows.join('\n')}\n`;
};

const ROOMS = [
  'kernel',
  'wire',
  'telemetry',
  'config',
  'clients',
  'coordination',
  'registry',
  'router',
  'server',
  'transport',
  'identity',
  'pipeline',
  'upstream',
  'proxy',
  'aggregate',
  'runtime',
  'admin',
  'commands',
]
  .map((room) => `src/${room}`)
  .filter((room) => existsSync(join(root, room)));

test('every folder of src/ stands in the list of rooms', () => {
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && filesOf(`src/${entry.name}`).length > 0)
    .map((entry) => `src/${entry.name}`);
  expect(folders.sort()).toEqual([...ROOMS].sort());
});

test('ARCHITECTURE.md lists every file with its first sentence', () => {
  const mark = '<!-- From here on made from the first line of each file. -->\n';
  const [own] = read('ARCHITECTURE.md').split(mark);
  const tables = [...ROOMS, 'plugins'].map(tableOf).join('\n');
  expectFile('ARCHITECTURE.md', `${own}${mark}\n${tables}`);
});

test('docs/commands.md shows the help of every command', () => {
  const program = createProgram();
  const help = (name: string, text: string) => `## ${name}\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n`;
  const parts = program.commands.map((command) =>
    help(`snowgate ${command.name()}`, command.helpInformation()),
  );
  const head =
    '# Commands\n\nThis page is made from `--help`. In a checkout, `npm run -s snowgate -- ARGS` stands for `snowgate ARGS`.\n';
  expectFile(
    'docs/commands.md',
    `${[head, help('snowgate', program.helpInformation()), ...parts].join('\n')}`,
  );
});

test('links between the documents lead somewhere', () => {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'bench/README.md'].concat(
    readdirSync(join(root, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  );
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map((match) => join(root, path, '..', match[1]!))
      .filter((target) => !exists(target))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});

const exists = (path: string): boolean => {
  try {
    readdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR';
  }
};
