/** What a plugin's setup gives back: known hooks, all functions, and only those that the scope can run. */
import type { Hooks } from '../plugin.ts';
import type { Scope } from './resolve.ts';

const FUNCTIONS: readonly string[] = [
  'accept',
  'authenticate',
  'authorize',
  'admit',
  'request',
  'attempt',
  'response',
  'log',
  'explain',
  'dispose',
] satisfies (keyof Hooks)[];

/** They run before the upstream is chosen, so an upstream cannot have them. */
const BEFORE_UPSTREAM = ['accept', 'authenticate', 'authorize', 'admit'] as const;

/** What is wrong with the hooks, to stand after the plugin's name; null when nothing is. */
export function checkHooks(hooks: Hooks, scope: Scope): string | null {
  if (typeof hooks !== 'object' || hooks === null) return 'gave no hooks: setup must return an object';
  for (const name of Object.keys(hooks)) {
    const value: unknown = hooks[name as keyof Hooks];
    if (FUNCTIONS.includes(name) && value !== undefined && typeof value !== 'function') {
      return `gave a hook "${name}" that is not a function`;
    }
  }
  if (hooks.optional !== undefined && typeof hooks.optional !== 'boolean') {
    return 'gave an "optional" that is neither true nor false';
  }
  if (hooks.challenge !== undefined && typeof hooks.challenge !== 'string') {
    return 'gave a "challenge" that is not text';
  }
  if (hooks.reserves !== undefined && !isNames(hooks.reserves)) {
    return 'gave a "reserves" that is no list of header names in small letters';
  }
  // A misspelt `authorise` would silently let everybody in.
  const unknown = Object.keys(hooks).find((name) => !FUNCTIONS.includes(name) && isMisspelt(name, hooks));
  if (unknown !== undefined) {
    return `gave an unknown hook "${unknown}"; the hooks are ${FUNCTIONS.join(', ')}`;
  }
  const early = scope === 'upstream' ? BEFORE_UPSTREAM.find((name) => hooks[name] !== undefined) : undefined;
  return early === undefined
    ? null
    : `cannot be used on an upstream: its "${early}" hook runs before the upstream is chosen; put it on the route`;
}

const isNames = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every((name) => typeof name === 'string' && /^[!#$%&'*+.^`|~0-9a-z-]+$/.test(name));

/** An instance may have fields of its own; a function among them that is no hook is taken for a mistake. */
const isMisspelt = (name: string, hooks: Hooks): boolean =>
  typeof (hooks as Readonly<Record<string, unknown>>)[name] === 'function';
