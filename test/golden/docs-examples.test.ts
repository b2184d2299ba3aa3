/** The examples in the pages are good configurations: each is taken as a whole file, with a route where it has none. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { formatIssues } from '../../src/config/format.ts';
import { loadConfig } from '../../src/config/load.ts';

/** Pages whose every block of YAML can stand by itself. */
const PAGES = ['aggregate.md', 'balancing.md', 'operate.md', 'traffic.md'];

/** What the pages take from the environment. */
const ENV = { STICKY_SECRET: '0123456789abcdef' };

const folder = mkdtempSync(join(tmpdir(), 'snowgate-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'services.yaml'), 'orders: [127.0.0.1:9001]\n');

const page = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8');

/** Each block with the heading that it stands under. */
const blocks = (text: string): [string, string][] =>
  text.split(/^#+ /m).flatMap((section) => {
    const heading = section.split('\n', 1)[0]!;
    return [...section.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]): [string, string] => [
      heading,
      yaml!,
    ]);
  });

const whole = (yaml: string): string => {
  const names = [...yaml.matchAll(/^ {2}([\w-]+):/gm)].map((match) => match[1]!);
  const upstream = names.find((name) => new RegExp(`^upstreams:.*^ {2}${name}:`, 'ms').test(yaml));
  return /^routes:/m.test(yaml) ? yaml : `${yaml}routes: [{ path: /**, upstream: ${upstream} }]\n`;
};

describe.each(PAGES)('docs/%s', (name) => {
  test.each(blocks(page(name)))('%s', (_heading, yaml) => {
    const file = join(folder, 'gateway.yaml');
    writeFileSync(file, whole(yaml));
    const loaded = loadConfig(file, ENV);
    expect(formatIssues(loaded.issues, loaded, false)).toBe('');
  });
});
