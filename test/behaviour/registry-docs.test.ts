/** The examples of docs/registries.md are configurations that work. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfigText } from '../../src/config/load.ts';
import { readServices } from '../../src/registry/service-file.ts';

const page = readFileSync(new URL('../../docs/registries.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);
const files = examples.filter((text) => /^# services\.yaml|^- targets/.test(text));
const configurations = examples.filter((text) => text.includes('routes:'));

test('there are some', () => expect([files.length, configurations.length]).toEqual([2, 3]));

test.each(configurations)('configuration %#', (text) => {
  const { config, issues } = loadConfigText(text, 'gateway.yaml', { ADMIN_TOKEN: 'x' });
  expect(issues).toEqual([]);
  expect(config).not.toBeNull();
});

test.each(files)('file of services %#', (text) => {
  const read = readServices(text, 'services.yaml');
  expect('issues' in read ? read.issues : []).toEqual([]);
});
