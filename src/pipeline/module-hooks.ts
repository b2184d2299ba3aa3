/** How Node reads plugin files: as modules, with the gateway's own API, and anew when their content changed. */
import { createHash } from 'node:crypto';
import {
  type LoadFnOutput,
  type LoadHookContext,
  type ResolveFnOutput,
  type ResolveHookContext,
  registerHooks,
} from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** One import of a plugin file with all that it imports locally. */
export interface ModuleLoad {
  /** Stands as `?v=` in the address of each of its modules, so that Node keeps versions apart. */
  readonly version: string;
  /** Absolute file name to the digest of what was read; '' when it could not be read. Grows as imports happen. */
  readonly files: Map<string, string>;
}

// The same place in a checkout (src/plugin.ts) and in the package (dist/src/plugin.js).
const API_URL = new URL(`../plugin${extname(import.meta.url)}`, import.meta.url).href;

/** Files whose address carries the version; others (.cjs, .wasm, …) are watched, but read once a process. */
const VERSIONED = new Set(['.ts', '.mts', '.js', '.mjs', '.json']);

/** What a plugin's own file is, whatever the package.json beside it says. */
const FORMATS: Readonly<Record<string, string>> = {
  '.ts': 'module-typescript',
  '.mts': 'module-typescript',
  '.js': 'module',
  '.mjs': 'module',
};

const loads = new Map<string, ModuleLoad>();
let installed = false;

/** The digest that versions are made of. */
export function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

const loadOf = (url: string | undefined): ModuleLoad | undefined => {
  if (url === undefined || !url.startsWith('file:') || !url.includes('?v=')) return undefined;
  return loads.get(new URL(url).searchParams.get('v') ?? '');
};

/** Local means the plugin's own: not a package, even one that is linked. */
const isLocal = (specifier: string): boolean => /^(\.{0,2}\/|file:|#)/.test(specifier);

type NextResolve = (specifier: string, context?: Partial<ResolveHookContext>) => ResolveFnOutput;

function resolve(specifier: string, context: ResolveHookContext, next: NextResolve): ResolveFnOutput {
  if (specifier === 'snowgate/plugin') return next(API_URL, context);
  const load = loadOf(context.parentURL);
  if (load === undefined || !isLocal(specifier)) return next(specifier, context);
  // Noted before it is found: when a missing file appears, the plugin is read again.
  if (!specifier.startsWith('#')) note(load, new URL(specifier, context.parentURL));
  const found = next(specifier, context);
  const url = new URL(found.url);
  if (url.protocol !== 'file:' || url.pathname.includes('/node_modules/')) return found;
  note(load, url);
  if (!VERSIONED.has(extname(url.pathname))) return found;
  url.searchParams.set('v', load.version);
  return { ...found, url: url.href };
}

function note(load: ModuleLoad, url: URL): void {
  if (url.protocol !== 'file:') return;
  const path = fileURLToPath(url);
  if (!load.files.has(path)) load.files.set(path, '');
}

type NextLoad = (url: string, context?: Partial<LoadHookContext>) => LoadFnOutput;

function load(url: string, context: LoadHookContext, next: NextLoad): LoadFnOutput {
  const of = loadOf(url);
  if (of === undefined) return next(url, context);
  const path = fileURLToPath(url);
  const output = next(url, { ...context, format: FORMATS[extname(path)] ?? context.format });
  const source = output.source ?? '';
  // The digest is of what was really read: a file saved in the meantime counts as changed.
  of.files.set(path, digest(typeof source === 'string' ? source : new Uint8Array(source as ArrayBuffer)));
  return output;
}

/** An `import` that no bundler or test runner rewrites, so that the hooks are always the ones that answer. */
const NATIVE = 'data:text/javascript,export const load = (url) => import(url)';

/**
 * Imports a file as one version of a plugin; the same version again gives the same module.
 * @throws whatever the file throws, or Node's own error; what was read until then stands in `into.files`
 */
export async function importVersion(file: string, into: ModuleLoad): Promise<Record<string, unknown>> {
  if (!installed) {
    installed = true;
    registerHooks({ resolve, load });
  }
  loads.set(into.version, into);
  const native = (await import(/* @vite-ignore */ NATIVE)) as {
    load(url: string): Promise<Record<string, unknown>>;
  };
  const url = pathToFileURL(file);
  url.searchParams.set('v', into.version);
  return native.load(url.href);
}
