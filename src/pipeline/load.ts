/** The catalog of plugins: every file of the built-in folder and of the user's own. */
import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PluginLogger } from '../plugin.ts';
import { countStaleVersions, filesOf, type LoadedPlugin, loadFile, type PluginIssue } from './load-file.ts';

export type { LoadedPlugin, PluginIssue } from './load-file.ts';

export interface PluginFolder {
  readonly path: string;
  readonly origin: 'built-in' | 'user';
}

export interface LoadedPlugins {
  /** By the plugin's name. */
  readonly catalog: Map<string, LoadedPlugin>;
  readonly issues: PluginIssue[];
  /** Absolute: the plugin files and what they import locally, missing ones too; a change of any is a reload. */
  readonly files: string[];
}

/** Every this many old versions the log says so. */
const STALE_WARNING = 100;
let warnedAt = 0;

/** Where the gateway's own plugins are, in a checkout and in the package. */
export function builtInPlugins(): PluginFolder {
  return { path: fileURLToPath(new URL('../../plugins', import.meta.url)), origin: 'built-in' };
}

const isPluginFile = (name: string): boolean =>
  /^[^._].*\.(ts|js|mjs)$/.test(name) && !/\.(d|test|spec)\.(ts|js|mjs)$/.test(name);

/** File names of a folder in order; a folder that isn't there is an empty one. */
const listFiles = (path: string): string[] | string => {
  try {
    const real = realpathSync(path);
    return readdirSync(real)
      .filter(isPluginFile)
      .sort()
      .map((name) => join(real, name));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? [] : message;
  }
};

interface Found {
  readonly file: string;
  readonly origin: PluginFolder['origin'];
}

/** A plugin of a name that is taken: the user's wins over a built-in one, and the first over a second. */
const clash = (mine: LoadedPlugin, other: LoadedPlugin): PluginIssue =>
  mine.origin === other.origin
    ? {
        severity: 'error',
        file: mine.file,
        line: null,
        message: `the name "${mine.plugin.name}" is taken by ${other.file}`,
      }
    : {
        severity: 'warning',
        file: mine.file,
        line: null,
        message: `takes the place of the built-in plugin "${mine.plugin.name}"`,
      };

/**
 * Loads every plugin file directly in the folders; a broken one is an issue, never a throw.
 * Files that have not changed since the last call keep their modules.
 * Names that begin with `.` or `_`, and `.d.ts`, `.test.ts` and the like, are not plugins.
 * @param folders in order: a user's plugin takes the place of a built-in one
 */
export async function loadPlugins(
  folders: readonly PluginFolder[],
  log: Pick<PluginLogger, 'warn'>,
): Promise<LoadedPlugins> {
  const catalog = new Map<string, LoadedPlugin>();
  const issues: PluginIssue[] = [];
  const found = new Map<string, Found>();
  for (const folder of folders) {
    const files = listFiles(folder.path);
    if (typeof files === 'string') {
      issues.push({ severity: 'error', file: folder.path, line: null, message: files });
      continue;
    }
    // In a checkout the folder beside gateway.yaml may be the built-in one itself.
    for (const file of files) if (!found.has(file)) found.set(file, { file, origin: folder.origin });
  }
  const results = await Promise.all(
    [...found.values()].map(async (entry) => ({ ...entry, result: await loadFile(entry.file) })),
  );
  for (const { file, origin, result } of results) {
    if (result.issue !== null) {
      issues.push(result.issue);
      continue;
    }
    const loaded: LoadedPlugin = { plugin: result.plugin, file, origin, version: result.version };
    const other = catalog.get(loaded.plugin.name);
    if (other !== undefined) {
      const issue = clash(loaded, other);
      issues.push(issue);
      if (issue.severity === 'error') continue;
    }
    catalog.set(loaded.plugin.name, loaded);
  }
  warnOfStale(log);
  const files = new Set([...found.keys()].flatMap(filesOf));
  return { catalog, issues, files: [...files].sort() };
}

function warnOfStale(log: Pick<PluginLogger, 'warn'>): void {
  const count = countStaleVersions();
  if (count < warnedAt + STALE_WARNING) return;
  warnedAt = count;
  log.warn('old versions of plugin files fill the memory; restart the gateway when convenient', { count });
}
