/** The gateway's own log: JSON lines through pino, secrets hidden, one level for all that can change while it runs. */
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import type { PluginLogger } from '../plugin.ts';
import { prettyLogLine } from './pretty.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Logger extends PluginLogger {
  readonly level: LogLevel;
  /** Changes the level of this logger and of all its children. */
  setLevel(level: LogLevel): void;
  /** A logger whose lines carry `plugin: name`. */
  child(name: string): PluginLogger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Short coloured lines for people instead of JSON. */
  readonly pretty?: boolean;
  /** Takes whole lines; by default they are written to standard output at once. */
  readonly destination?: { write(line: string): unknown };
}

/** Names of fields whose values never reach the log, wherever they stand in the first three levels. */
export const REDACTED = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'apiKey',
  'password',
  'secret',
  'token',
  'accessToken',
  'privateKey',
];

const pathsOf = (name: string) => {
  const step = /^\w+$/.test(name) ? name : `["${name}"]`;
  const joined = step.startsWith('[') ? step : `.${step}`;
  return [step, `*${joined}`, `*.*${joined}`];
};

interface Threshold {
  level: LogLevel;
  rank: number;
}

/** Lives in front of pino because a pino child keeps the level it was born with. */
class LevelledLogger implements PluginLogger {
  readonly #to: pino.Logger;
  readonly #threshold: Threshold;

  constructor(to: pino.Logger, threshold: Threshold) {
    this.#to = to;
    this.#threshold = threshold;
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    if (this.#threshold.rank <= 0) this.#to.debug(fields ?? null, message);
  }

  info(message: string, fields?: Record<string, unknown>): void {
    if (this.#threshold.rank <= 1) this.#to.info(fields ?? null, message);
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    if (this.#threshold.rank <= 2) this.#to.warn(fields ?? null, message);
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#to.error(fields ?? null, message);
  }
}

/** Makes the gateway's logger. Errors go in the field `error`; see docs/logs.md for the form of a line. */
export function createLogger(options: LoggerOptions): Logger {
  const out = options.destination ?? { write: (line: string) => writeSync(1, line) };
  const stream = options.pretty ? { write: (line: string) => void out.write(prettyLogLine(line)) } : out;
  const threshold: Threshold = { level: options.level, rank: LOG_LEVELS.indexOf(options.level) };
  const root = pino(
    {
      level: 'debug',
      base: { log: 'gateway' },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
      redact: { paths: REDACTED.flatMap(pathsOf), censor: '[hidden]' },
    },
    { write: (line: string) => void stream.write(line) },
  );
  const own = new LevelledLogger(root, threshold);
  return {
    debug: (message, fields) => own.debug(message, fields),
    info: (message, fields) => own.info(message, fields),
    warn: (message, fields) => own.warn(message, fields),
    error: (message, fields) => own.error(message, fields),
    get level() {
      return threshold.level;
    },
    setLevel(level) {
      threshold.level = level;
      threshold.rank = LOG_LEVELS.indexOf(level);
    },
    child: (name) => new LevelledLogger(root.child({ plugin: name }), threshold),
  };
}
