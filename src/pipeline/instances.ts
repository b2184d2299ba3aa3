/** Plugin instances: one plugin set up with one configuration, alive for as long as a chain uses it. */
import type { PluginInstance } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Hooks, Host } from '../plugin.ts';
import { checkHooks } from './check-hooks.ts';
import { type PluginConfigIssue, readIssues } from './config-issues.ts';
import type { LoadedPlugin } from './load-file.ts';
import { digest } from './module-hooks.ts';
import { dropNamed, namedGeneration, noteNamed } from './named-files.ts';
import type { Scope } from './resolve.ts';
import { takeSlot } from './slots.ts';

export type { PluginConfigIssue } from './config-issues.ts';

/** What the gateway lends, but for what the instance knows by itself. */
export type HostParts = Omit<Host, 'slot' | 'instance'>;

export interface Instance {
  /** Its key under `plugins`. */
  readonly name: string;
  /** Name of the plugin. */
  readonly plugin: string;
  readonly scope: Scope;
  /** Name of the upstream or route it belongs to; '' in global scope. */
  readonly owner: string;
  readonly slot: number;
  readonly hooks: Hooks;
  readonly log: Host['log'];
  /** Lets the plugin clean up and frees the slot; never rejects. Idempotent. */
  dispose(): Promise<void>;
}

/** A configuration that a plugin refuses, with every place in the file that is wrong. */
export class PluginConfigError extends Error {
  readonly issues: readonly PluginConfigIssue[];

  constructor(issues: readonly PluginConfigIssue[], cause?: unknown) {
    super(issues.map((issue) => issue.message).join('; '), cause === undefined ? undefined : { cause });
    this.issues = issues;
  }
}

/** How long a plugin may take to get ready. */
const SETUP_MS = 30_000;

/** The key under `plugins` that a use stands at. */
export function instanceName(use: PluginInstance): string {
  return String(use.path.at(-1) ?? use.type);
}

/** The same text for the same content, whatever the order of its keys. */
const canonical = (value: unknown): string =>
  JSON.stringify(value ?? {}, (_, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

const baseKey = (loaded: LoadedPlugin, use: PluginInstance, owner: { scope: Scope; name: string }): string =>
  // A digest, because a configuration holds secrets and keys get into logs.
  `${owner.scope} ${owner.name} ${instanceName(use)} ${loaded.plugin.name}@${loaded.version} ${digest(canonical(use.config))}`;

/**
 * What makes an instance the same as another: its source, place and configuration, and the content of the files that
 * its configuration names.
 */
export function instanceKey(loaded: LoadedPlugin, use: PluginInstance, scope: Scope, owner: string): string {
  const base = baseKey(loaded, use, { scope, name: owner });
  return `${base} ${namedGeneration(base)}`;
}

const parseConfig = async (loaded: LoadedPlugin, use: PluginInstance): Promise<unknown> => {
  // `cors:` and `cors: true` ask for the plugin with its defaults.
  const given = use.config === null || use.config === undefined || use.config === true ? {} : use.config;
  const parsed = await loaded.plugin.config.safeParseAsync(given);
  if (parsed.success) return parsed.data;
  const reading = { schema: loaded.plugin.config, value: given, base: use.path };
  const issues = readIssues(reading, parsed.error.issues).map((issue) => ({
    ...issue,
    message: `the plugin ${loaded.plugin.name}: ${issue.message}`,
  }));
  throw new PluginConfigError(issues);
};

/** Settles as the promise does, or rejects after `SETUP_MS`: a setup that hangs would hold up every later reload. */
const inTime = async <T>(work: Promise<T>, clock: Clock): Promise<T> => {
  const late = Promise.withResolvers<never>();
  const timer = clock.after(SETUP_MS, () =>
    late.reject(new Error(`was not ready within ${SETUP_MS / 1000} seconds`)),
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    timer.cancel();
  }
};

/** In words, where Node speaks of system calls. */
const textOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(
    /ENOENT: no such file or directory, \w+ '([^']*)'/,
    'the file $1 does not exist',
  );

/**
 * Sets up one instance.
 * @param use its `path` ends with the instance's name and stands before every issue's own path
 * @throws PluginConfigError when the plugin refuses the configuration, fails in setup, or cannot be used in the scope
 */
export async function createInstance(
  loaded: LoadedPlugin,
  use: PluginInstance,
  parts: HostParts,
): Promise<Instance> {
  const { scope, owner, log } = parts;
  const name = instanceName(use);
  const config = await parseConfig(loaded, use);
  const base = baseKey(loaded, use, { scope, name: owner });
  const slot = takeSlot(scope, owner);
  const free = () => {
    slot.release();
    dropNamed(base);
  };
  const host: Host = {
    scope,
    owner,
    log,
    clock: parts.clock,
    random: parts.random,
    redis: parts.redis,
    note: (message, remedy) => parts.note(message, remedy),
    instance: name,
    slot: slot.slot,
    counter: (counter, help, labels) => parts.counter(counter, help, labels),
    shared: (key, open) => parts.shared(key, open),
    file: (path) => noteNamed(base, parts.file(path)),
  };
  noteNamed(base, null);
  let hooks: Hooks;
  try {
    hooks = await inTime(
      Promise.try(() => loaded.plugin.setup(config, host)),
      parts.clock,
    );
  } catch (error) {
    free();
    const message = `the plugin ${loaded.plugin.name} (${loaded.file}) could not be set up: ${textOf(error)}`;
    throw new PluginConfigError([{ message, path: use.path, remedy: null }], error);
  }
  let disposing: Promise<void> | null = null;
  const dispose = async () => {
    try {
      await hooks.dispose?.();
    } catch (error) {
      log.error('the plugin failed while it was disposed of', { plugin: loaded.plugin.name, error });
    } finally {
      free();
    }
  };
  const fault = checkHooks(hooks, scope);
  if (fault !== null) {
    if (typeof hooks === 'object' && hooks !== null) await dispose();
    else free();
    const message = `the plugin ${loaded.plugin.name} (${loaded.file}) ${fault}`;
    throw new PluginConfigError([{ message, path: use.path, remedy: null }]);
  }
  return {
    name,
    plugin: loaded.plugin.name,
    scope,
    owner,
    slot: slot.slot,
    hooks,
    log,
    dispose() {
      disposing ??= dispose();
      return disposing;
    },
  };
}
