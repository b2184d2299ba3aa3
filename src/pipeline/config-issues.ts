/** What a plugin's schema finds wrong with its settings, in words and with the place in the file. */
import { meant } from '../config/suggest.ts';
import type { ConfigPath } from '../config/types.ts';
import type { z } from '../plugin.ts';

export interface PluginConfigIssue {
  readonly message: string;
  readonly path: ConfigPath;
  /** What to do, as one short sentence; null when the message says it. */
  readonly remedy: string | null;
}

type Found = z.core.$ZodIssue;

/** The part of a schema's definition that is looked at, of whatever copy of zod it came from. */
interface Schema {
  readonly _zod?: {
    readonly def?: {
      readonly shape?: Readonly<Record<string, Schema>>;
      readonly innerType?: Schema;
      readonly in?: Schema;
      readonly element?: Schema;
      readonly valueType?: Schema;
    };
  };
}

/** Through defaults, optionals and pipes to the schema that names keys. */
const unwrap = (schema: Schema | undefined): Schema | undefined => {
  let inner = schema;
  while (inner?._zod?.def?.shape === undefined) {
    const next = inner?._zod?.def?.innerType ?? inner?._zod?.def?.in;
    if (next === undefined) return inner;
    inner = next;
  }
  return inner;
};

/** The keys that may stand at a place; none when the schema doesn't say. */
const keysAt = (schema: Schema, path: readonly PropertyKey[]): string[] => {
  let here = unwrap(schema);
  for (const step of path) {
    const def = here?._zod?.def;
    here = unwrap(def?.shape?.[String(step)] ?? def?.element ?? def?.valueType);
  }
  return Object.keys(here?._zod?.def?.shape ?? {});
};

const depth = (issues: readonly Found[]): number =>
  issues.reduce((most, issue) => Math.max(most, issue.path.length), 0);

const lower = (text: string): string =>
  text.replace(/^Invalid input: /, '').replace(/^[A-Z](?![A-Z])/, (c) => c.toLowerCase());

const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown => {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
};

interface Reading {
  readonly schema: unknown;
  readonly value: unknown;
  /** Where the settings stand in the file. */
  readonly base: ConfigPath;
}

const one = (reading: Reading, issue: Found, within: readonly PropertyKey[]): PluginConfigIssue[] => {
  const local = [...within, ...issue.path];
  const path: ConfigPath = [
    ...reading.base,
    ...local.map((key) => (typeof key === 'symbol' ? String(key) : key)),
  ];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(reading.schema as Schema, local);
    return issue.keys.map((key) => ({
      message: `unknown key \`${key}\``,
      path: [...path, key],
      remedy: meant(key, known),
    }));
  }
  const name = local.length === 0 ? '' : `\`${local.map(String).join('.')}\` `;
  const isMissing = issue.code === 'invalid_type' || issue.code === 'invalid_union';
  if (isMissing && valueAt(reading.value, local) === undefined) {
    return [{ message: `${name}is missing`.trim(), path, remedy: null }];
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The branch that got furthest is the one that was meant.
    const branch = issue.errors.reduce((best, other) => (depth(other) > depth(best) ? other : best));
    return branch.flatMap((inner) => one(reading, inner, local));
  }
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0]?.message ?? issue.message;
    return [{ message: `\`${String(local.at(-1))}\`: ${lower(inner)}`, path, remedy: null }];
  }
  return [{ message: `${name}${lower(issue.message)}`, path, remedy: null }];
};

/** The issues of a failed parse, each with its place in the file. */
export function readIssues(reading: Reading, issues: readonly Found[]): PluginConfigIssue[] {
  return issues.flatMap((issue) => one(reading, issue, []));
}
