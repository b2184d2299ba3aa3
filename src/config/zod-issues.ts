/** Puts what zod found wrong into words, each with its place. */
import type { z } from 'zod';
import type { FormFault } from './forms.ts';
import type { Problem, Report } from './report.ts';
import { meant } from './suggest.ts';
import type { ConfigPath } from './types.ts';

type Found = z.core.$ZodIssue;

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
};

const valueAt = (root: unknown, path: ConfigPath): unknown => {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
};

const faultOf = (issue: Found): FormFault | null =>
  issue.code === 'custom' ? ((issue.params as unknown as FormFault | undefined) ?? null) : null;

const isWrongKind = (issue: Found): boolean =>
  issue.path.length === 0 &&
  (issue.code === 'invalid_type' ||
    faultOf(issue)?.wrongKind === true ||
    (issue.code === 'invalid_union' && issue.errors.every((branch) => branch.some(isWrongKind))));

/** The branch of a union that takes this kind of value, or null when none does. */
const branchOf = (branches: readonly (readonly Found[])[]): readonly Found[] | null =>
  branches.find((branch) => !branch.some(isWrongKind)) ?? null;

const mapTrap = (value: unknown): string | null => {
  const match = typeof value === 'string' ? /^([A-Za-z]\w*):(\S.*)$/.exec(value) : null;
  return match === null ? null : 'Put a space after the colon.';
};

const wanted = (issue: Found): string => {
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? issue.expected;
  if (issue.code === 'custom') return issue.message.replace(/^is (not|neither) /, '');
  return issue.message;
};

const quotes = (shown: string): string => `"${shown.replaceAll('`', '')}"`;

/** What is said of a key that the schema does not have. */
export function unknownKey(report: Report, path: ConfigPath, known: readonly string[]): Problem {
  return { message: `unknown key ${report.showKey(path)}`, remedy: meant(String(path.at(-1)), known) };
}

export interface Reading {
  readonly report: Report;
  /** The value that was parsed, and where it stands in the file. */
  readonly value: unknown;
  readonly base: ConfigPath;
}

/** The schema sends the keys that it knows along as the message. */
const unknownKeys = (
  reading: Reading,
  path: ConfigPath,
  issue: { keys: readonly string[]; message: string },
): void => {
  for (const key of issue.keys)
    reading.report.onKey(
      [...path, key],
      unknownKey(reading.report, [...path, key], issue.message.split(' ')),
    );
};

/** What is wrong with one value, when it is neither an unknown key nor a union. */
const problemOf = (issue: Found, shown: string, value: unknown): Problem => {
  const fault = faultOf(issue);
  if (fault?.wantsText === true)
    return { message: `${shown} must be text`, remedy: `Put quotes around it: ${quotes(shown)}.` };
  if (fault !== null)
    return { message: `${shown} ${issue.message}`, remedy: fault.remedy, general: fault.general };
  return { message: `${shown} is not ${wanted(issue)}`, remedy: mapTrap(value) };
};

const absent = (issue: Found, key: string, value: null | undefined): Problem => {
  const remedy = faultOf(issue)?.remedy ?? null;
  if (value === undefined) return { message: `\`${key}\` is missing`, remedy };
  return { message: `\`${key}\` has no value`, remedy: 'Give it one, or delete the line.' };
};

const one = (reading: Reading, issue: Found, within: ConfigPath): void => {
  const { report, base } = reading;
  const local: ConfigPath = [...within, ...(issue.path as (string | number)[])];
  const path: ConfigPath = [...base, ...local];
  const value = valueAt(reading.value, local);
  if (issue.code === 'unrecognized_keys') unknownKeys(reading, path, issue);
  else if (value === undefined || value === null) report.on(path, absent(issue, String(path.at(-1)), value));
  else if (issue.code !== 'invalid_union') report.on(path, problemOf(issue, report.show(path, value), value));
  else {
    const branch = branchOf(issue.errors as readonly Found[][]);
    for (const inner of branch ?? []) one(reading, inner, local);
    if (branch !== null) return;
    const ways = [...new Set(issue.errors.map((errors) => wanted(errors[0] as Found)))];
    report.on(path, {
      message: `${report.show(path, value)} is not ${ways.join(', nor ')}`,
      remedy: mapTrap(value),
    });
  }
};

const flatten = (
  issues: readonly Found[],
  within: ConfigPath,
): { readonly path: ConfigPath; readonly issue: Found }[] =>
  issues.flatMap((issue) => {
    const path = [...within, ...(issue.path as (string | number)[])];
    if (issue.code !== 'invalid_union') return [{ path, issue }];
    return issue.errors.flatMap((branch) => flatten(branch, path));
  });

/** Paths, from the parsed value, where text is wanted and something typed is. */
export function wantsText(issues: readonly Found[]): ConfigPath[] {
  return flatten(issues, [])
    .filter(({ issue }) => faultOf(issue)?.wantsText === true)
    .map(({ path }) => path);
}

/** Reports each issue of a failed parse. */
export function reportZod(reading: Reading, issues: readonly Found[]): void {
  for (const issue of issues) one(reading, issue, []);
}
