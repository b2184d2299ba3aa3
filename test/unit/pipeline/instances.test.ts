/** Instances: what the plugin is told, what it may refuse, and what makes two of them the same. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTable } from '../../../src/kernel/table.ts';
import { compileChain } from '../../../src/pipeline/chain.ts';
import {
  createInstance,
  type Instance,
  instanceKey,
  PluginConfigError,
} from '../../../src/pipeline/instances.ts';
import type { LoadedPlugin } from '../../../src/pipeline/load.ts';
import { namedFiles } from '../../../src/pipeline/named-files.ts';
import type { Scope } from '../../../src/pipeline/resolve.ts';
import { definePlugin, type Hooks, type Host, z } from '../../../src/plugin.ts';
import { folderOf, pluginOf, testHost, useOf } from '../../kit/plugin.ts';

const loadedOf = (setup: (config: unknown, host: Host) => Hooks | Promise<Hooks>): LoadedPlugin => ({
  plugin: definePlugin({
    name: 'sample',
    summary: 'A sample.',
    config: z.strictObject({
      limit: z.number().default(5),
      nested: z.strictObject({ words: z.array(z.string()) }).optional(),
    }),
    setup,
  }),
  file: '/plugins/sample.ts',
  origin: 'user',
  version: 'v1',
});

const refusal = async (making: Promise<Instance>): Promise<PluginConfigError> => {
  const error = await making.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof PluginConfigError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
};

test('the plugin gets its parsed configuration and a host that knows its place', async () => {
  let got: [unknown, Host] | undefined;
  const loaded = loadedOf((config, host) => {
    got = [config, host];
    return {};
  });
  const instance = await createInstance(
    loaded,
    useOf('sample', { nested: { words: ['a'] } }, 'mine'),
    testHost('route', 'orders'),
  );
  expect(got?.[0]).toEqual({ limit: 5, nested: { words: ['a'] } });
  expect(got?.[1]).toMatchObject({ instance: 'mine', scope: 'route', owner: 'orders', slot: instance.slot });
  expect(instance).toMatchObject({ name: 'mine', plugin: 'sample', scope: 'route', owner: 'orders' });
  await instance.dispose();
});

test('nothing, null and true ask for the defaults', async () => {
  for (const config of [undefined, null, true, {}]) {
    let got: unknown;
    const loaded = loadedOf((parsed) => {
      got = parsed;
      return {};
    });
    await (await createInstance(loaded, useOf('sample', config), testHost())).dispose();
    expect(got).toEqual({ limit: 5 });
  }
});

test('a bad configuration is refused with the place of each fault in the file', async () => {
  const use = useOf('sample', { limit: 'x', nested: { words: [1], wrods: [] }, other: 1 });
  const { issues } = await refusal(
    createInstance(
      loadedOf(() => ({})),
      use,
      testHost(),
    ),
  );
  const base = ['routes', 0, 'plugins', 'sample'];
  expect(issues.map((issue) => issue.path)).toEqual([
    [...base, 'limit'],
    [...base, 'nested', 'words', 0],
    [...base, 'nested', 'wrods'],
    [...base, 'other'],
  ]);
  expect(issues.map((issue) => issue.message.replace('the plugin sample: ', ''))).toEqual([
    '`limit` expected number, received string',
    '`nested.words.0` expected string, received number',
    'unknown key `wrods`',
    'unknown key `other`',
  ]);
  expect(issues[2]?.remedy).toContain('words');
});

const FAULTS: [what: string, scope: Scope, setup: () => Hooks | Promise<Hooks>, message: RegExp][] = [
  [
    'throws',
    'route',
    () => {
      throw new Error('no such key');
    },
    /sample.*no such key/,
  ],
  ['rejects', 'route', () => Promise.reject(new Error('no such key')), /sample.*no such key/],
  ['gives nothing', 'route', () => undefined as never, /no hooks/],
  ['gives text', 'route', () => 'hooks' as never, /no hooks/],
  ['gives a hook that is no function', 'route', () => ({ accept: 5 }) as never, /"accept".*not a function/],
  ['misspells a hook', 'route', () => ({ authorise: () => undefined }) as never, /unknown hook "authorise"/],
  ['gives a wrong optional', 'route', () => ({ optional: 'no' }) as never, /optional/],
  ['reserves what is no name', 'route', () => ({ reserves: ['X-User'] }), /reserves/],
  ['gives a wrong challenge', 'route', () => ({ challenge: 5 }) as never, /challenge/],
  [
    'accepts on an upstream',
    'upstream',
    () => ({ accept: () => undefined }),
    /cannot be used on an upstream/,
  ],
  ['admits on an upstream', 'upstream', () => ({ admit: () => undefined }), /cannot be used on an upstream/],
];

for (const [what, scope, setup, message] of FAULTS) {
  test(`a plugin that ${what} is refused by name and place, and its slot is free again`, async () => {
    const before = await createInstance(
      loadedOf(() => ({})),
      useOf('sample'),
      testHost(scope, 'faulty'),
    );
    await before.dispose();
    const error = await refusal(createInstance(loadedOf(setup), useOf('sample'), testHost(scope, 'faulty')));
    expect(error.issues).toEqual([
      { message: expect.stringMatching(message), path: ['routes', 0, 'plugins', 'sample'], remedy: null },
    ]);
    const after = await createInstance(
      loadedOf(() => ({})),
      useOf('sample'),
      testHost(scope, 'faulty'),
    );
    expect(after.slot).toBe(before.slot);
    await after.dispose();
  });
}

test('hooks refused for their scope are disposed of', async () => {
  let disposed = 0;
  const hooks: Hooks = { accept: () => undefined, dispose: () => void disposed++ };
  await refusal(
    createInstance(
      loadedOf(() => hooks),
      useOf('sample'),
      testHost('upstream'),
    ),
  );
  expect(disposed).toBe(1);
});

test('a setup that never ends is given up on', async () => {
  const host = testHost();
  const started = Promise.withResolvers<void>();
  const making = refusal(
    createInstance(
      loadedOf(() => {
        started.resolve();
        return new Promise(() => undefined);
      }),
      useOf('sample'),
      host,
    ),
  );
  await started.promise;
  host.clock.advance(30_000);
  expect((await making).message).toMatch(/not ready within 30 seconds/);
  expect(host.clock.pending).toBe(0);
});

test('dispose runs once, and a failure in it is logged', async () => {
  let disposed = 0;
  const host = testHost();
  const loaded = loadedOf(() => ({
    dispose: async () => {
      disposed++;
      throw new Error('stuck');
    },
  }));
  const instance = await createInstance(loaded, useOf('sample'), host);
  await Promise.all([instance.dispose(), instance.dispose()]);
  expect(disposed).toBe(1);
  expect(host.log.lines).toEqual([expect.objectContaining({ level: 'error' })]);
});

const make = (scope: Scope, owner: string) =>
  createInstance(
    pluginOf('s', () => ({})),
    useOf('s'),
    testHost(scope, owner),
  );

test('instances that can meet in a chain never share a slot; those that cannot may', async () => {
  const instances = await Promise.all([
    make('global', ''),
    make('global', ''),
    make('upstream', 'u'),
    make('upstream', 'u'),
    make('route', 'r'),
    make('route', 'r'),
  ]);
  expect(new Set(instances.map((instance) => instance.slot)).size).toBe(6);
  const chain = compileChain(instances);
  expect(Math.max(...instances.map((instance) => instance.slot))).toBe(chain.slotCount - 1);
  const others = await Promise.all(Array.from({ length: 50 }, (_, at) => make('route', `other-${at}`)));
  expect(new Set(others.map((instance) => instance.slot)).size).toBe(1);
  await Promise.all([...instances, ...others].map((instance) => instance.dispose()));
});

test('a slot is free again after dispose, and kept until then', async () => {
  const first = await make('route', 'slots');
  const second = await make('route', 'slots');
  await first.dispose();
  const third = await make('route', 'slots');
  expect([third.slot, second.slot !== first.slot]).toEqual([first.slot, true]);
  await Promise.all([second.dispose(), third.dispose()]);
});

test('the key follows the source, the place and the configuration, and not the order of keys', () => {
  const loaded = loadedOf(() => ({}));
  const base = instanceKey(loaded, useOf('sample', { a: 1, b: { c: 2, d: 3 } }), 'route', 'r');
  expect(instanceKey(loaded, useOf('sample', { b: { d: 3, c: 2 }, a: 1 }), 'route', 'r')).toBe(base);
  const moved = { ...useOf('sample', { a: 1, b: { c: 2, d: 3 } }), path: ['routes', 7, 'plugins', 'sample'] };
  expect(instanceKey(loaded, moved, 'route', 'r')).toBe(base);
  const config = { a: 1, b: { c: 2, d: 3 } };
  const others = [
    instanceKey(loaded, useOf('sample', { a: 1 }), 'route', 'r'),
    instanceKey(loaded, useOf('sample', config), 'route', 'other'),
    instanceKey(loaded, useOf('sample', config), 'global', 'r'),
    instanceKey(loaded, useOf('sample', config, 'second'), 'route', 'r'),
    instanceKey({ ...loaded, version: 'v2' }, useOf('sample', config), 'route', 'r'),
  ];
  expect(new Set([base, ...others]).size).toBe(6);
});

test('the key holds no secret of the configuration', () => {
  const key = instanceKey(
    loadedOf(() => ({})),
    useOf('sample', { secret: 'hunter2' }),
    'route',
    'r',
  );
  expect(key).not.toContain('hunter2');
});

test('a named file makes a new instance when its content changes, and only then', async () => {
  const folder = folderOf({ 'keys.json': 'one' });
  const file = join(folder.path, 'keys.json');
  let setups = 0;
  const loaded = loadedOf((_, host) => {
    setups++;
    host.file(file);
    return {};
  });
  const use = useOf('sample');
  const table = createTable<Instance>((instance) => void instance.dispose());
  const acquire = () =>
    table.acquire(instanceKey(loaded, use, 'route', 'named'), () =>
      createInstance(loaded, use, testHost('route', 'named')),
    );
  const first = await acquire();
  expect(namedFiles()).toEqual([file]);
  const second = await acquire();
  folder.write('keys.json', 'one');
  const third = await acquire();
  expect([setups, second.value === first.value, third.value === first.value]).toEqual([1, true, true]);
  folder.write('keys.json', 'two');
  const fourth = await acquire();
  const fifth = await acquire();
  expect([setups, fifth.value === fourth.value]).toEqual([2, true]);
  for (const lease of [first, second, third, fourth, fifth]) lease.release();
  await expect.poll(namedFiles).toEqual([]);
});
