/** One burst of load by wrk, and what it says about it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Burst {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were not 2xx or 3xx, and socket errors. */
  readonly errors: number;
}

export interface Load {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Core that wrk runs on. */
  readonly core: number;
  /** A Lua script for wrk. */
  readonly script?: string | undefined;
}

const UNITS: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

const milliseconds = (text: string | undefined): number => {
  const [, value, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text ?? '') ?? [];
  return Number(value) * (UNITS[unit ?? ''] ?? Number.NaN);
};

/** Sends load for the given time and reads wrk's report. */
export async function burst(load: Load): Promise<Burst> {
  const args = ['-c', String(load.core), 'wrk', '--latency', '-t1'];
  args.push(`-c${load.connections}`, `-d${load.seconds}s`);
  if (load.script !== undefined) args.push('-s', load.script);
  args.push(load.url);
  const { stdout } = await run('taskset', args);
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  const broken = (sockets ?? []).slice(1).reduce((sum, part) => sum + Number(part), 0);
  return {
    requests: number(/(\d+) requests in/),
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50Ms: milliseconds(/^\s+50%\s+(\S+)/m.exec(stdout)?.[1]),
    p99Ms: milliseconds(/^\s+99%\s+(\S+)/m.exec(stdout)?.[1]),
    errors: number(/Non-2xx or 3xx responses: (\d+)/) + broken,
  };
}
