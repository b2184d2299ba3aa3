/** What every built-in plugin must do, run over all of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compileChain } from '../../src/pipeline/chain.ts';
import { createInstance, PluginConfigError } from '../../src/pipeline/instances.ts';
import { builtInPlugins, loadPlugins } from '../../src/pipeline/load.ts';
import { runAttempt, runBefore, runLog, runRequest, runResponse } from '../../src/pipeline/run.ts';
import { reply, z } from '../../src/plugin.ts';
import { exchangeOf, keepingLogger, type TestHost, testHost, useOf } from '../kit/plugin.ts';
import { sampleConfigs } from '../kit/plugin-samples.ts';

const folder = builtInPlugins();
const { catalog, issues } = await loadPlugins([folder], keepingLogger());

test('every file is a plugin that loads, and has a sample configuration', () => {
  expect(issues).toEqual([]);
  const files = readdirSync(folder.path).filter((name) => /^[^._].*\.ts$/.test(name));
  expect([...catalog.values()].map((loaded) => basename(loaded.file)).sort()).toEqual(files.sort());
  expect(Object.keys(sampleConfigs).sort()).toEqual([...catalog.keys()].sort());
});

/** Everything that an instance might have left behind: of what it was lent, and timers of its own. */
const leftovers = (host: TestHost) => ({
  pending: host.clock.pending,
  shares: host.held(),
  timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
});

for (const [name, loaded] of catalog) {
  describe(name, () => {
    const config = sampleConfigs[name];
    const create = (host = testHost()) => createInstance(loaded, useOf(name, config), host);

    test('is named as its file, and says in one sentence what it does', () => {
      expect(basename(loaded.file)).toBe(`${name}.ts`);
      expect(loaded.plugin.summary).toMatch(/^[A-Z].*\.$/);
      expect(loaded.plugin.summary).not.toContain('\n');
    });

    test('imports nothing but the API, packages, Node and what plugins share', () => {
      const imports = [...readFileSync(loaded.file, 'utf8').matchAll(/from '([^']+)'/g)].map((m) => m[1]!);
      const shared = /^\.\/_[a-z-]+\/[a-z-]+\.ts$/;
      const local = imports.filter((from) => from.startsWith('.') && !shared.test(from));
      expect([...local, ...imports.filter((from) => from.includes('/src/'))]).toEqual([]);
      expect(imports).toContain('snowgate/plugin');
    });

    test('refuses unknown keys, and names the place', async () => {
      const use = useOf(name, { ...(config as object), 'no-such-key': 1 });
      const error = await createInstance(loaded, use, testHost()).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PluginConfigError);
      expect((error as PluginConfigError).issues).toContainEqual(
        expect.objectContaining({ path: [...use.path, 'no-such-key'] }),
      );
    });

    test('refuses what is no map', async () => {
      for (const wrong of ['text', 5, ['list']]) {
        await expect(createInstance(loaded, useOf(name, wrong), testHost())).rejects.toBeInstanceOf(
          PluginConfigError,
        );
      }
    });

    test('has a JSON Schema in which every setting is described', () => {
      const schema = z.toJSONSchema(loaded.plugin.config, { io: 'input' });
      for (const [key, property] of Object.entries(schema.properties ?? {})) {
        expect([key, typeof property === 'object' && property.description]).toEqual([
          key,
          expect.stringMatching(/\.$/),
        ]);
      }
    });

    test('setup and dispose leave nothing behind, ten times over', async () => {
      const host = testHost();
      const before = leftovers(host);
      for (let round = 0; round < 10; round++) await (await create(host)).dispose();
      expect(leftovers(host)).toEqual(before);
    });

    test('its hooks bear an exchange of which little is known', async () => {
      const host = testHost();
      const instance = await create(host);
      const chain = compileChain([instance]);
      const x = exchangeOf({ slotCount: chain.slotCount });
      // Whatever they answer, it is an answer, not a failure.
      const outcomes = [await runBefore(chain, x), await runRequest(chain, x)];
      runAttempt(chain, x, { head: x.request, to: { upstream: 'u', endpoint: '127.0.0.1:1' } });
      outcomes.push(await runResponse(chain, x, reply(502)));
      runLog(chain, x);
      expect(outcomes.map((outcome) => outcome?.error?.code)).not.toContain('GW_PLUGIN');
      expect(host.log.lines.filter((line) => line.level === 'error')).toEqual([]);
      await instance.dispose();
    });

    test('its response and log hooks bear an exchange that its other hooks never saw', async () => {
      const host = testHost();
      const instance = await create(host);
      const chain = compileChain([instance]);
      const x = exchangeOf({ slotCount: chain.slotCount });
      const outcome = await runResponse(chain, x, reply(404));
      runLog(chain, x);
      expect(outcome.error?.code).not.toBe('GW_PLUGIN');
      expect(host.log.lines.filter((line) => line.level === 'error')).toEqual([]);
      await instance.dispose();
    });
  });
}
