/** Files, places and secrets of a configuration, and that no text whatever breaks the loader. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts of configurations hold them.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { formatIssues } from '../../../src/config/format.ts';
import { configJsonSchema } from '../../../src/config/json-schema.ts';
import { type Loaded, loadConfig, loadConfigText } from '../../../src/config/load.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'snowgate-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const messages = (loaded: Loaded) => loaded.issues.map((issue) => issue.message);

describe('a file that cannot be read', () => {
  test('is told, not thrown', () => {
    expect(messages(loadConfig(join(folder, 'none.yaml'), {}))).toEqual(['the file does not exist']);
    expect(messages(loadConfig(folder, {}))).toEqual(['this is a folder, not a file']);
    expect(messages(loadConfig(write('latin.yaml', Uint8Array.of(0x61, 0xe9, 0x3a)), {}))).toEqual([
      'the file is not UTF-8',
    ]);
    expect(messages(loadConfig(write('wide.yaml', Buffer.from('\uFEFFa: 1', 'utf16le')), {}))).toEqual([
      'the file is UTF-16',
    ]);
    expect(messages(loadConfig(write('nul.yaml', 'listen: a\0b'), {}))).toEqual([
      expect.stringContaining('NUL'),
    ]);
    expect(messages(loadConfig(write('huge.yaml', `# ${'x'.repeat(9 * 1024 ** 2)}`), {}))).toEqual([
      'the file is larger than 8 MiB',
    ]);
  });

  test('is watched all the same', () => {
    expect(loadConfig(join(folder, 'none.yaml'), {}).files).toEqual([join(folder, 'none.yaml')]);
  });
});

test('every file that is named is listed, relative ones from the folder of the configuration', () => {
  mkdirSync(join(folder, 'tls'), { recursive: true });
  write('tls/ca.pem', '-----BEGIN CERTIFICATE-----');
  write('password', 'swordfish\n');
  const file = write(
    'files.yaml',
    `upstreams: { a: { targets: ["https://a.example"], tls: { ca: tls/ca.pem } } }
plugins: { basic: { password: "\${file:password}", other: "\${file:./missing}" } }
routes: [{ path: /a, upstream: a }]`,
  );
  const loaded = loadConfig(file, {});
  expect(loaded.files.toSorted()).toEqual(
    ['files.yaml', 'missing', 'password', 'tls/ca.pem'].map((name) => join(folder, name)),
  );
  expect(messages(loaded)).toEqual(['the file `./missing` does not exist']);
  expect([...loaded.secrets]).toEqual(['swordfish']);
});

test('a device is no secret to read', () => {
  expect(messages(loadConfigText('stateDir: "${file:/dev/zero}"', 'x.yaml', {}))).toEqual([
    'the file `/dev/zero` is no ordinary file',
  ]);
});

test('secrets are the values of variables that look secret, and those only', () => {
  const env = { API_TOKEN: 'hush', PORT: '1', OTHER_TOKEN: 'not named' };
  const loaded = loadConfigText('plugins: { a: { t: "${API_TOKEN}", p: "${PORT}" } }', 'x.yaml', env);
  expect([...loaded.secrets]).toEqual(['hush']);
});

test('a place is found for what is there and for what is around it', () => {
  const text = 'routes:\n  - path: /a\n    plugins:\n      say: { text: hi }\n      bare:\n';
  const { locate } = loadConfigText(text, 'x.yaml', {});
  const at = (...path: (string | number)[]) => {
    const place = locate(path);
    return `${place?.file}:${place?.line}:${place?.column}`;
  };
  expect(at('routes', 0, 'plugins', 'say', 'text')).toBe('x.yaml:4:20');
  expect(at('routes', 0, 'plugins', 'say', 'missing', 'deeper')).toBe('x.yaml:4:12');
  expect(at('routes', 0, 'plugins', 'bare', 'key')).toBe('x.yaml:5:7');
  expect(at('routes', 7)).toBe('x.yaml:2:3');
});

test('a number that a variable gave is text where text is wanted', () => {
  const text =
    'routes:\n  - path: /a\n    upstream: http://127.0.0.1:1\n    name: ${RELEASE}\n    query: { v: "${RELEASE}" }\n';
  const { config, issues } = loadConfigText(text, 'x.yaml', { RELEASE: '42' });
  expect(issues).toEqual([]);
  expect([config?.routes[0]?.name, config?.routes[0]?.query.v]).toEqual(['42', '42']);
});

test('nothing of a file can reach a prototype', () => {
  const text =
    'plugins: { constructor: {}, a: { toString: 1 } }\nupstreams: { constructor: { targets: ["http://a"] } }\nroutes: [{ path: /a, upstream: toString }]';
  const { config, issues } = loadConfigText(text, 'x.yaml', {});
  expect(config).toBeNull();
  expect(issues.filter((issue) => issue.severity === 'error').map((issue) => issue.message)).toEqual([
    'there is no upstream `toString`',
  ]);
});

test('deep and wide files made to hurt are refused in little time', () => {
  const started = performance.now();
  for (const text of [
    '['.repeat(100_000),
    '{a: '.repeat(20_000),
    `plugins: {${'a,'.repeat(100_000)}}`,
    `${'- '.repeat(20_000)}a`,
  ]) {
    const loaded = loadConfigText(text, 'x.yaml', {});
    expect(loaded.config).toBeNull();
    expect(loaded.issues.length).toBeGreaterThan(0);
    expect(loaded.issues.length).toBeLessThan(202);
  }
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('escapes of the terminal in a file are not printed', () => {
  const loaded = loadConfigText('routes: [{ path: /a, "\u001b[31mred": 1 }]', 'x.yaml', {});
  expect(formatIssues(loaded.issues, loaded, false)).not.toContain('\u001b');
  expect(formatIssues(loaded.issues, loaded, true)).not.toContain('\u001b[31mred');
});

const good = readFileSync(join(root, 'test/golden/config/good-everything.yaml'), 'utf8');
const pieces = fc.constantFrom(
  ...[
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ':',
    ': ',
    ',',
    '- ',
    '#',
    '*',
    '&a ',
    '!',
    '|',
    '>',
    '%',
    '@',
    '`',
    '\t',
    '\n',
    '  ',
    '${',
    '${X}',
    '$${',
    '}',
    '0',
    '-1',
    'null',
    '~',
    'true',
    '<<: *a',
    '---\n',
    '\0',
    '\u2028',
    '\uFEFF',
    '__proto__: 1\n',
    '/',
    '**',
    '{id}',
    'é',
    '😀',
  ],
);
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.integer({ min: 0, max: 30 }),
  put: fc.oneof(pieces, fc.string({ maxLength: 8 }), fc.constant('')),
});

test('a good file with any edits gives a configuration, or an error with a place', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let text = good;
      for (const { at, cut, put } of edits) {
        const offset = Math.floor(at * text.length);
        text = text.slice(0, offset) + put + text.slice(offset + cut);
      }
      const loaded = loadConfigText(text, 'x.yaml', {});
      const errors = loaded.issues.filter((issue) => issue.severity === 'error');
      expect(loaded.config === null).toBe(errors.length > 0);
      for (const issue of loaded.issues) {
        if (issue.message.startsWith('and ')) continue;
        expect(issue.place?.line).toBeGreaterThan(0);
        expect(issue.place?.line).toBeLessThanOrEqual(loaded.text.split('\n').length);
        expect(issue.message).not.toMatch(/undefined|\[object|Invalid input/);
      }
      formatIssues(loaded.issues, loaded, true);
    }),
    { numRuns: 300 },
  );
});

test('the JSON Schema takes the good files and refuses an unknown key', () => {
  const schema = z.fromJSONSchema(configJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  const files = [
    'gateway.yaml',
    'test/golden/config/good-everything.yaml',
    'test/golden/config/good-smallest.yaml',
  ];
  for (const file of files) {
    const value: unknown = parse(readFileSync(join(root, file), 'utf8'), { merge: true });
    expect(schema.safeParse(value).error, file).toBeUndefined();
  }
  expect(schema.safeParse({ listn: 1 }).success).toBe(false);
  expect(schema.safeParse({ limits: { connections: '${LIMIT}' } }).success).toBe(true);
  expect(schema.safeParse({ limits: { connections: 'many' } }).success).toBe(false);
});

test('the gateway.yaml of the repository is good', () => {
  expect(loadConfig(join(root, 'gateway.yaml'), {}).issues).toEqual([]);
});
