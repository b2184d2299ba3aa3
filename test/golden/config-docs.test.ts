/** docs/config.md and gateway.schema.json are what the schema gives; UPDATE=1 writes them anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { configJsonSchema, type SchemaNode } from '../../src/config/json-schema.ts';
import { configDocument } from '../../src/config/reference.ts';

const fileOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

const same = (name: string, text: string): void => {
  if (process.env.UPDATE === '1') writeFileSync(fileOf(name), text);
  expect(text, `run the test with UPDATE=1 to write ${name} anew`).toBe(readFileSync(fileOf(name), 'utf8'));
};

test('docs/config.md is generated from the schema', () => {
  same('docs/config.md', configDocument());
});

test('gateway.schema.json is generated from the schema', () => {
  same('gateway.schema.json', `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
});

const sections = function* (node: SchemaNode, path: string): Generator<[string, SchemaNode]> {
  if (node.properties !== undefined) yield [path, node];
  for (const [key, value] of Object.entries(node.properties ?? {})) yield* sections(value, `${path}.${key}`);
  if (node.items !== undefined) yield* sections(node.items, `${path}[]`);
  if (typeof node.additionalProperties === 'object') yield* sections(node.additionalProperties, `${path}.*`);
  for (const way of node.anyOf ?? []) yield* sections(way, path);
};

test('every key has a description, every map of keys refuses others', () => {
  const all = [...sections(configJsonSchema() as SchemaNode, '')];
  expect(all.length).toBeGreaterThan(12);
  for (const [path, node] of all) {
    expect(node.additionalProperties, path).toBe(false);
    for (const [key, value] of Object.entries(node.properties!))
      expect(value.description, `${path}.${key}`).toMatch(/^[A-Z].*\.$/);
  }
});

test('every key stands in the document', () => {
  const document = configDocument();
  for (const [path, node] of sections(configJsonSchema() as SchemaNode, ''))
    for (const key of Object.keys(node.properties!)) {
      if (path.startsWith('.listen')) continue;
      const name = `${path}.${key}`.slice(1).replaceAll('.*', '.NAME');
      expect(document).toContain(`| \`${name}\` |`);
    }
});
