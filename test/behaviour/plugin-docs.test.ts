/** The worked example of docs/plugins.md, as a user would copy it. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileChain } from '../../src/pipeline/chain.ts';
import { createInstance, PluginConfigError } from '../../src/pipeline/instances.ts';
import { builtInPlugins, loadPlugins } from '../../src/pipeline/load.ts';
import { runBefore, runLog, runResponse } from '../../src/pipeline/run.ts';
import { PHASES, reply, z } from '../../src/plugin.ts';
import { exchangeOf, folderOf, keepingLogger, testHost, useOf } from '../kit/plugin.ts';

const root = new URL('../../', import.meta.url);
const doc = readFileSync(new URL('docs/plugins.md', root), 'utf8');
const example = /`plugins\/deprecated\.ts`:\n\n```ts\n([\s\S]*?)```/.exec(doc)?.[1] ?? '';

const loadExample = async () => {
  const folder = folderOf({ 'deprecated.ts': example });
  const { catalog, issues } = await loadPlugins([{ path: folder.path, origin: 'user' }], keepingLogger());
  expect(issues).toEqual([]);
  return catalog.get('deprecated')!;
};

test('the example of the document is the file in examples/', () => {
  expect(example).toBe(readFileSync(new URL('examples/plugins/deprecated.ts', root), 'utf8'));
});

test('the example tells callers, counts them, and turns them away in the end', async () => {
  const host = testHost('route', 'old');
  const config = { since: '2025-01-01', sunset: '2026-01-02', link: 'https://shop.example/docs/v2' };
  const instance = await createInstance(await loadExample(), useOf('deprecated', config), host);
  const chain = compileChain([instance]);
  const x = exchangeOf({ slotCount: chain.slotCount, fields: { 'user-agent': 'curl/8' } });
  expect(runBefore(chain, x)).toBeUndefined();
  const answer = await runResponse(chain, x, reply(200));
  runLog(chain, x);
  expect({ ...answer.fields }).toEqual({
    deprecation: '@1735689600',
    sunset: 'Fri, 02 Jan 2026 00:00:00 GMT',
    link: '<https://shop.example/docs/v2>; rel="deprecation"',
  });
  expect(host.counts.get('deprecated_requests')).toBe(1);
  expect(host.log.lines).toEqual([
    { level: 'debug', message: 'an old route was used', fields: { route: 'test', agent: 'curl/8' } },
  ]);
  host.clock.advance(24 * 3_600_000);
  expect(runBefore(chain, exchangeOf())).toMatchObject({ status: 410 });
  await instance.dispose();
});

test('the example refuses a bad configuration at its place', async () => {
  const loaded = await loadExample();
  for (const config of [
    { since: 'soon', sunset: '2026-01-02' },
    { since: '2026-01-02', sunset: '2026-01-01' },
  ]) {
    await expect(createInstance(loaded, useOf('deprecated', config), testHost())).rejects.toBeInstanceOf(
      PluginConfigError,
    );
  }
});

test('the document names every hook, every built-in plugin and every setting', async () => {
  const hooks = [...PHASES, 'attempt', 'response', 'log', 'dispose'];
  expect(hooks.filter((hook) => !doc.includes(`| \`${hook}(`))).toEqual([]);
  const { catalog } = await loadPlugins([builtInPlugins()], keepingLogger());
  const section = doc.slice(doc.indexOf('## Built-in plugins'));
  const missing: string[] = [];
  for (const { plugin } of catalog.values()) {
    const row = section.split('\n').find((line) => line.startsWith(`| \`${plugin.name}\` `)) ?? '';
    const schema = z.toJSONSchema(plugin.config, { io: 'input' });
    for (const key of Object.keys(schema.properties ?? {})) {
      if (!row.includes(`\`${key}\``)) missing.push(`${plugin.name}.${key}`);
    }
    if (row === '') missing.push(plugin.name);
  }
  expect(missing).toEqual([]);
});

test('the examples folder holds only plugins that load', async () => {
  const path = new URL('examples/plugins', root).pathname;
  const { catalog, issues } = await loadPlugins([{ path, origin: 'user' }], keepingLogger());
  expect(issues).toEqual([]);
  expect(catalog.size).toBe(readdirSync(path).length);
});
