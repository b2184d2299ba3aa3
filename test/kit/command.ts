/** The command line as a process of its own: what it prints, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const launch = fileURLToPath(new URL('../../src/launch.mjs', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly process: ChildProcess;
  /** Resolves with the first match in what it has printed or will print; rejects when it ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  ended(): Promise<Ended>;
}

export interface RunOptions {
  readonly cwd: string;
  /** Default: the launcher of the checkout. */
  readonly program?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a command; it is killed at the end of the test if it still runs. */
export function start(args: readonly string[], { cwd, program = launch, env = {} }: RunOptions): Running {
  const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...process.env, ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const closed = once(child, 'close');
  return {
    process: child,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(out + err);
          if (found !== null) resolve(found);
        };
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        child.on('close', () => reject(new Error(`it never said ${pattern}:\n${out}${err}`)));
        look();
      }),
    ended: async () => {
      await closed;
      return { code: child.exitCode, out, err };
    },
  };
}

/** Runs a command to its end. */
export function run(args: readonly string[], options: RunOptions): Promise<Ended> {
  return start(args, options).ended();
}
