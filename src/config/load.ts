/** Reads gateway.yaml and every file that it names, and tells all that is wrong with it at once. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { assemble } from './assemble.ts';
import { readDocument } from './document.ts';
import { Files, whyUnreadable } from './files.ts';
import { looksSecret, type Values } from './interpolate.ts';
import type { Issue, Place } from './issues.ts';
import { Report } from './report.ts';
import { createSource, placeAt } from './source.ts';
import { spotAt } from './spot.ts';
import type { Config, ConfigPath } from './types.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface Loaded {
  /** Null when there is any error. */
  readonly config: Config | null;
  /** Errors and warnings, in the order of the file. */
  readonly issues: readonly Issue[];
  /** Absolute names of every file that was read or named, to be watched. */
  readonly files: readonly string[];
  /** Values that must not be shown: from files, and from variables whose names look secret. */
  readonly secrets: ReadonlySet<string>;
  /** Where a path of the configuration stands in the file, or the nearest thing around it. */
  locate(path: ConfigPath): Place | null;
  /** The text of the file. */
  readonly text: string;
}

/** Enough for some ten thousand routes; more is not a file that somebody wrote. */
const MAX_BYTES = 8 * 1024 ** 2;

const failed = (file: string, message: string, remedy: string | null = null): Loaded => ({
  config: null,
  issues: [{ severity: 'error', message, path: [], place: { file, line: 1, column: 1 }, remedy }],
  files: [resolve(file)],
  secrets: new Set(),
  locate: () => null,
  text: '',
});

/**
 * Reads a configuration and every file that it names. Never throws for what a file holds or lacks.
 * @param file as it shall stand in messages; relative names in it start from its folder
 */
export function loadConfig(file: string, env: Env): Loaded {
  let bytes: Buffer;
  try {
    const found = statSync(file);
    if (found.isDirectory()) return failed(file, 'this is a folder, not a file', 'Name the file in it.');
    if (found.size > MAX_BYTES) return failed(file, `the file is larger than ${MAX_BYTES / 1024 ** 2} MiB`);
    bytes = readFileSync(file);
  } catch (error) {
    return failed(file, `the file ${whyUnreadable(error)}`, 'Name another one, or change the folder.');
  }
  if (bytes.length > MAX_BYTES) return failed(file, `the file is larger than ${MAX_BYTES / 1024 ** 2} MiB`);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return failed(file, 'the file is UTF-16', 'Save it as UTF-8.');
  try {
    return loadConfigText(new TextDecoder('utf-8', { fatal: true }).decode(bytes), file, env);
  } catch (error) {
    if (
      !(error instanceof TypeError) ||
      (error as NodeJS.ErrnoException).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA'
    )
      throw error;
    return failed(file, 'the file is not UTF-8', 'Save it as UTF-8.');
  }
}

/** As `loadConfig`, with the text in hand. */
export function loadConfigText(given: string, file: string, env: Env): Loaded {
  // Editors on Windows put a byte order mark first.
  const text = given.startsWith('\uFEFF') ? given.slice(1) : given;
  const files = new Files(dirname(resolve(file)));
  const secrets = new Set<string>();
  const report = new Report(createSource(file, text));
  const values: Values = {
    env(name) {
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (value !== undefined && value !== '' && looksSecret(name)) secrets.add(value);
      return value;
    },
    file(path) {
      const read = files.secret(path);
      if ('text' in read && read.text !== '') secrets.add(read.text);
      return read;
    },
  };
  const nul = text.indexOf('\0');
  if (nul >= 0) report.at(nul, { message: 'a NUL byte stands here: this is no text' });
  const document = report.failed ? null : readDocument(report, values);
  const config = document === null ? null : assemble({ report, files }, document.value);
  return {
    config: report.failed ? null : config,
    issues: report.issues(),
    files: [resolve(file), ...files.named()],
    secrets,
    locate: (path) =>
      document === null ? null : placeAt(report.source, spotAt(report.root, path).spot.value),
    text,
  };
}
