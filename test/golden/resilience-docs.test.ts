/** The configurations of docs/resilience.md are ones that the gateway takes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

const doc = readFileSync(new URL('../../docs/resilience.md', import.meta.url), 'utf8');
const blocks = [...doc.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);

test('there are configurations in it', () => {
  expect(blocks.length).toBeGreaterThan(4);
});

test.each(blocks.map((yaml, at) => [at + 1, yaml] as const))('configuration %i is taken', (_, yaml) => {
  const folder = mkdtempSync(join(tmpdir(), 'resilience-docs-'));
  const [upstream] = /^ {2}(\w+):/m.exec(yaml)!.slice(1);
  const route = yaml.includes('routes:') ? '' : `routes: [{ path: /**, upstream: ${upstream} }]\n`;
  writeFileSync(join(folder, 'gateway.yaml'), yaml + route);
  const { issues } = loadConfig(join(folder, 'gateway.yaml'), {});
  rmSync(folder, { recursive: true });
  expect(issues.filter(({ severity }) => severity === 'error')).toEqual([]);
});
