/** One plugin file: imported, checked, and imported again only when it or what it imports changed. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Plugin } from '../plugin.ts';
import { digest, importVersion, type ModuleLoad } from './module-hooks.ts';

export interface LoadedPlugin {
  readonly plugin: Plugin;
  /** Absolute. */
  readonly file: string;
  readonly origin: 'built-in' | 'user';
  /** Changes with the content of the file and of what it imports locally. */
  readonly version: string;
}

/** Something wrong with a plugin file. */
export interface PluginIssue {
  readonly severity: 'error' | 'warning';
  /** Absolute. */
  readonly file: string;
  /** From 1; null when unknown. */
  readonly line: number | null;
  readonly message: string;
}

export type FileResult =
  | { readonly plugin: Plugin; readonly version: string; readonly issue: null }
  | { readonly plugin: null; readonly issue: PluginIssue };

interface Known {
  load: ModuleLoad;
  plugin: Plugin | null;
}

const known = new Map<string, Known>();
let stale = 0;

/** Modules of files that have changed since; Node keeps them until the process ends. */
export function countStaleVersions(): number {
  return stale;
}

/** The plugin's file and what it imports locally, as far as is known; absolute. */
export function filesOf(file: string): string[] {
  return [...(known.get(file)?.load.files.keys() ?? [file])];
}

const digestOf = (file: string): string => {
  try {
    return digest(readFileSync(file));
  } catch (error) {
    // Gone or unreadable is a state like any other here; the import then says what is wrong.
    return error instanceof Error ? '' : String(error);
  }
};

const isUnchanged = (load: ModuleLoad): boolean => {
  for (const [file, was] of load.files) if (digestOf(file) !== was) return false;
  return true;
};

/**
 * A version that no load had before. Content alone would not do: Node keeps a module for ever under its address, with
 * whatever it imported then, and failures too; a file that is edited back would get those of its first day.
 */
const versionOf = (file: string): string => digest(`${file}\0${digestOf(file)}\0${stale}`);

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Where an error says that it comes from, when that is one of the plugin's files. */
const placeOf = (error: unknown, files: Iterable<string>): { file: string; line: number } | null => {
  const text = error instanceof Error ? `${error.stack ?? ''}\n${error.message}` : '';
  let best: { file: string; line: number; at: number } | null = null;
  for (const file of files) {
    const names = `(?:${escaped(pathToFileURL(file).href)}|${escaped(file)})`;
    const match = new RegExp(`${names}(?:\\?v=\\w+)?:(\\d+)`).exec(text);
    if (match && (best === null || match.index < best.at)) {
      best = { file, line: Number(match[1]), at: match.index };
    }
  }
  return best;
};

/** The first line that says something; Node's own messages are full of addresses with versions. */
const messageOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').map((line) => line.replaceAll(/\?v=\w+/g, '').trim());
  return lines.find((line) => line !== '') ?? 'the file threw an error without a message';
};

/** What is wrong with the shape of a default export, or null. */
const faultOf = (value: unknown): string | null => {
  if (typeof value !== 'object' || value === null) {
    return 'has no default export made by definePlugin({ … })';
  }
  const plugin = value as Partial<Record<keyof Plugin, unknown>>;
  if (typeof plugin.name !== 'string' || !/^[a-z][a-z0-9-]*$/.test(plugin.name)) {
    return 'needs a name of lower-case letters, digits and "-"';
  }
  if (typeof plugin.summary !== 'string' || plugin.summary === '') return 'needs a summary of one sentence';
  const config = plugin.config as { safeParseAsync?: unknown } | undefined;
  if (typeof config?.safeParseAsync !== 'function') {
    return 'needs a config schema: a zod type such as z.strictObject({})';
  }
  if (typeof plugin.setup !== 'function') return 'needs a setup function';
  return null;
};

/** Imports one plugin file, or gives what it gave before when nothing that it consists of has changed. */
export async function loadFile(file: string): Promise<FileResult> {
  const before = known.get(file);
  if (before?.plugin && isUnchanged(before.load)) {
    return { plugin: before.plugin, version: before.load.version, issue: null };
  }
  if (before !== undefined) stale++;
  const load: ModuleLoad = { version: versionOf(file), files: new Map([[file, '']]) };
  const entry: Known = { load, plugin: null };
  known.set(file, entry);
  const wrong = (message: string, place: { file: string; line: number } | null = null): FileResult => ({
    plugin: null,
    issue: { severity: 'error', file: place?.file ?? file, line: place?.line ?? null, message },
  });
  try {
    const module = await importVersion(file, load);
    const fault = faultOf(module.default);
    if (fault !== null) return wrong(fault);
    entry.plugin = module.default as Plugin;
    return { plugin: entry.plugin, version: load.version, issue: null };
  } catch (error) {
    return wrong(messageOf(error), placeOf(error, load.files.keys()));
  }
}
