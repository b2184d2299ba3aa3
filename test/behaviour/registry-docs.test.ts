/** The examples of docs/registry-servers.md, as a user would copy them. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfigText } from '../../src/config/load.ts';

const doc = readFileSync(new URL('../../docs/registry-servers.md', import.meta.url), 'utf8');
const blocks = [...doc.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

test('every example is a configuration, but for routes where it is about something else', () => {
  expect(blocks.length).toBe(4);
  for (const text of blocks) {
    const whole = text.includes('routes:') ? text : `${text}routes: [{ path: /, upstream: consul/edge }]\n`;
    expect(loadConfigText(whole, 'gateway.yaml', {}).issues, text).toEqual([]);
  }
});
