/** Plugins in tests: instances, chains and exchanges as the gateway makes them, without a socket. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { PluginInstance } from '../../src/config/types.ts';
import { createTable } from '../../src/kernel/table.ts';
import { type Chain, compileChain } from '../../src/pipeline/chain.ts';
import { LiveExchange } from '../../src/pipeline/exchange.ts';
import {
  createInstance,
  type HostParts,
  type Instance,
  PluginConfigError,
  type PluginConfigIssue,
} from '../../src/pipeline/instances.ts';
import { builtInPlugins, type LoadedPlugin, loadPlugins } from '../../src/pipeline/load.ts';
import type { Scope } from '../../src/pipeline/resolve.ts';
import type { Hooks, PluginLogger } from '../../src/plugin.ts';
import { createFields, definePlugin, z } from '../../src/plugin.ts';
import type { Downstream } from '../../src/wire/downstream.ts';
import type { RequestHead } from '../../src/wire/heads.ts';
import { createManualClock, createSeededRandom } from './clock.ts';

export interface LogLine {
  level: keyof PluginLogger;
  message: string;
  fields: Record<string, unknown>;
}

/** A logger that keeps what it is told. */
export function keepingLogger(): PluginLogger & { lines: LogLine[] } {
  const lines: LogLine[] = [];
  const keep =
    (level: keyof PluginLogger) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void lines.push({ level, message, fields });
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

export type TestHost = HostParts & {
  readonly log: ReturnType<typeof keepingLogger>;
  readonly clock: ReturnType<typeof createManualClock>;
  /** Counts by counter name. */
  readonly counts: Map<string, number>;
  /** Shares that are still held. */
  readonly held: () => number;
};

/** What the gateway would lend, in memory, and countable. */
export function testHost(scope: Scope = 'route', owner = scope === 'global' ? '' : 'test'): TestHost {
  const table = createTable<unknown>(() => undefined);
  const counts = new Map<string, number>();
  return {
    scope,
    owner,
    log: keepingLogger(),
    clock: createManualClock(),
    random: createSeededRandom(1),
    redis: null,
    note: () => undefined,
    counts,
    held: () => table.size,
    counter: (name) => ({ add: (count = 1) => void counts.set(name, (counts.get(name) ?? 0) + count) }),
    shared: (name, open) => table.acquire(name, open) as never,
    file: (path) => path,
  };
}

/** What an instance made with a `testHost` has logged. */
export function linesOf(instance: Instance | undefined): LogLine[] {
  return (instance!.log as ReturnType<typeof keepingLogger>).lines;
}

/** A use as the configuration gives it. */
export function useOf(type: string, config: unknown = {}, name = type): PluginInstance {
  return { type, config, path: ['routes', 0, 'plugins', name] };
}

/** A plugin of the given hooks, as if a file had held it. */
export function pluginOf(name: string, setup: () => Hooks | Promise<Hooks>): LoadedPlugin {
  const plugin = definePlugin({ name, summary: 'A plugin of a test.', config: z.strictObject({}), setup });
  return { plugin, file: `/plugins/${name}.ts`, origin: 'user', version: 'v1' };
}

/** Instances from hooks, one each, disposed of when the test ends. */
export async function instancesOf(
  ...list: readonly (Hooks | { scope: Scope; hooks: Hooks })[]
): Promise<Instance[]> {
  const instances: Instance[] = [];
  for (const [at, item] of list.entries()) {
    const { scope, hooks } = 'hooks' in item ? item : { scope: 'route' as const, hooks: item };
    const name = `p${at}`;
    const instance = await createInstance(
      pluginOf(name, () => hooks),
      useOf(name),
      testHost(scope),
    );
    onTestFinished(() => instance.dispose());
    instances.push(instance);
  }
  return instances;
}

/** A chain of hooks, one instance each. */
export async function chainOf(...list: readonly Hooks[]): Promise<Chain> {
  return compileChain(await instancesOf(...list));
}

/** A built-in plugin as the gateway loads it. */
export async function builtIn(name: string): Promise<LoadedPlugin> {
  const { catalog } = await loadPlugins([builtInPlugins()], keepingLogger());
  const loaded = catalog.get(name);
  if (loaded === undefined) throw new Error(`no built-in plugin ${name}`);
  return loaded;
}

/** A chain of built-in plugins with their configurations, in this order. */
export async function builtInChain(...uses: readonly [name: string, config: unknown][]): Promise<Chain> {
  const instances: Instance[] = [];
  for (const [name, config] of uses) {
    const instance = await createInstance(await builtIn(name), useOf(name, config), testHost());
    onTestFinished(() => instance.dispose());
    instances.push(instance);
  }
  return compileChain(instances);
}

/** What a built-in plugin finds wrong with a configuration, with paths inside of it. */
export async function configIssues(name: string, config: unknown): Promise<PluginConfigIssue[]> {
  const loaded = await builtIn(name);
  const use = useOf(name, config);
  try {
    const instance = await createInstance(loaded, use, testHost());
    await instance.dispose();
    return [];
  } catch (error) {
    if (!(error instanceof PluginConfigError)) throw error;
    return error.issues.map((issue) => ({ ...issue, path: issue.path.slice(use.path.length) }));
  }
}

const NO_HOOKS = compileChain([]);

export interface ExchangeOptions {
  method?: string;
  authority?: string;
  path?: string;
  query?: string;
  fields?: Record<string, string | string[]>;
  params?: Record<string, string>;
  address?: string;
  slotCount?: number;
}

/** A live exchange whose client is not there: for hooks that look at heads only. */
export function exchangeOf(o: ExchangeOptions = {}): LiveExchange {
  const received: RequestHead = {
    method: o.method ?? 'GET',
    scheme: 'http',
    authority: o.authority ?? 'gateway.test',
    path: o.path ?? '/',
    query: o.query ?? '',
    fields: Object.assign(createFields(), o.fields),
  };
  const nobody = () => {
    throw new Error('this exchange has no client');
  };
  const down: Downstream = {
    head: received,
    version: '1.1',
    peer: { address: '192.0.2.1', port: 1, localAddress: '192.0.2.2', localPort: 2, secure: false },
    body: null,
    upgrade: false,
    inform: nobody,
    reply: nobody,
    accept: nobody,
    abort: () => undefined,
    traceId: '',
    closed: null,
    left: null,
  };
  return new LiveExchange({
    id: '123',
    down,
    client: { address: o.address ?? '192.0.2.1', trusted: false, scheme: 'http' },
    route: { name: 'test', host: '', path: o.path ?? '/' },
    params: Object.assign(Object.create(null), o.params),
    received,
    startMs: 0,
    startWallMs: 0,
    chain: NO_HOOKS,
    slotCount: o.slotCount ?? 8,
    clock: createManualClock(),
  });
}

/** A folder of files that is gone after the test. */
export function folderOf(files: Readonly<Record<string, string>>): {
  path: string;
  write(name: string, text: string): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'snowgate-plugin-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  return { path, write };
}
