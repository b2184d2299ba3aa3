/** The command `snowgate id`: makes trace IDs, or takes one apart. */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/types.ts';
import { createSnowflake, decodeSnowflake } from '../identity/snowflake.ts';
import { systemClock } from '../kernel/clock.ts';
import { DEFAULT_FILE, issuesText } from './read.ts';
import { CommandFailed, columns, EXIT, print, printJson } from './terminal.ts';

interface Options {
  readonly config?: string;
  readonly count: number;
  readonly worker?: number;
  readonly datacenter?: number;
  readonly json?: boolean;
}

const whole = (text: string): number => {
  if (!/^\d{1,7}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number of at most 7 digits.');
  return Number(text);
};

const howMany = (text: string): number => {
  const count = whole(text);
  if (count === 0) throw new InvalidArgumentError('It must be at least 1.');
  return count;
};

/** The layout of the file's IDs; of the defaults where no file is named and none is there. */
const traceOf = (file: string | undefined): Config['trace'] => {
  if (file === undefined && !existsSync(DEFAULT_FILE)) return traceDefaults();
  const loaded = loadConfig(file ?? DEFAULT_FILE, process.env);
  if (loaded.config === null) throw new CommandFailed(issuesText(loaded.issues, loaded));
  return loaded.config.trace;
};

const traceDefaults = (): Config['trace'] => ({
  id: 'snowflake',
  datacenter: 0,
  worker: 'auto',
  epochMs: Date.UTC(2024, 0, 1),
  bits: { datacenter: 5, worker: 5, sequence: 12 },
  sample: null,
});

const decode = (id: string, options: Options) => {
  const parts = decodeSnowflake(id, traceOf(options.config));
  if (parts === null)
    throw new CommandFailed(`"${id}" is not a Snowflake ID: a decimal number below 2^63.`, EXIT.usage);
  const { timeMs, datacenter, worker, sequence } = parts;
  const time = new Date(timeMs).toISOString();
  if (options.json) printJson({ id, time, timeMs, datacenter, worker, sequence });
  else {
    const rows = { time, datacenter, worker, sequence };
    print(
      columns(
        Object.entries(rows).map(([name, value]) => [name, String(value)]),
        '',
      ),
    );
  }
};

const make = (options: Options) => {
  const trace = traceOf(options.config);
  const ids = createSnowflake({
    clock: systemClock,
    epochMs: trace.epochMs,
    bits: trace.bits,
    datacenter: options.datacenter ?? trace.datacenter,
    worker: options.worker ?? (trace.worker === 'auto' ? 0 : trace.worker),
  });
  const made = Array.from({ length: options.count }, () => ids.next());
  if (made.includes(null)) throw new CommandFailed('The clock stands before the epoch of the IDs.');
  if (options.json) printJson(made);
  else print(made.join('\n'));
};

/** Makes the command. */
export function idCommand(): Command {
  return new Command('id')
    .summary('make trace IDs, or take one apart')
    .description(
      'With an ID, tells when and by which worker it was made. Without one, makes new ones.\n' +
        `The epoch and the bits are those of ${DEFAULT_FILE} where there is one, else the defaults.`,
    )
    .argument('[id]', 'a trace ID from a log or a header')
    .option('-c, --config <file>', 'the configuration whose epoch and bits hold')
    .option('-n, --count <n>', 'how many to make', howMany, 1)
    .option('-w, --worker <n>', 'the worker number to write into them', whole)
    .option('-d, --datacenter <n>', 'the datacenter number to write into them', whole)
    .option('--json', 'print JSON')
    .action((id: string | undefined, options: Options) => {
      if (id === undefined) make(options);
      else decode(id, options);
    });
}
