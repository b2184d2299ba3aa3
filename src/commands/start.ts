/** The command `snowgate start`: runs the gateway until it is told to stop. */
import { Command } from 'commander';
import { systemClock } from '../kernel/clock.ts';
import { systemRandom } from '../kernel/random.ts';
import { ConfigRefused, type Gateway, startGateway } from '../runtime/gateway.ts';
import { type AccessLog, createAccessLog } from '../telemetry/access-log.ts';
import { createDestination } from '../telemetry/destination.ts';
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { AdminPort } from './admin-port.ts';
import { banner } from './banner.ts';
import { DEFAULT_FILE, issuesText } from './read.ts';
import { CommandFailed, printError } from './terminal.ts';
import { version } from './version.ts';

interface Options {
  readonly banner?: boolean;
  readonly json?: boolean;
}

/** Stops on SIGTERM and SIGINT, at once on a second one; reads the file again on SIGHUP. */
const untilStopped = (gateway: Gateway, log: Logger): Promise<void> =>
  new Promise((resolve) => {
    let asked = false;
    const stop = (signal: string) => {
      if (asked) process.exit(1);
      asked = true;
      log.info('stopping; once more to stop at once', { signal });
      resolve();
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
    process.on('SIGHUP', () => {
      // A refusal is logged where it is found.
      gateway.reload().catch((error: unknown) => {
        if (!(error instanceof ConfigRefused))
          log.error('the configuration could not be read again', { error });
      });
    });
  });

/** One request's fault must not end all the others; it is told as loudly as a log can. */
const surviveFaults = (log: Logger) => {
  process.on('uncaughtException', (error) =>
    log.error('a fault of the gateway that nothing caught', { error }),
  );
  process.on('unhandledRejection', (error) =>
    log.error('a promise of the gateway that nobody awaits', { error }),
  );
};

interface Telemetry {
  /** For people at a terminal rather than for machines. */
  readonly pretty: boolean;
  readonly log: Logger;
  readonly accessLog: AccessLog;
  readonly metrics: ReturnType<typeof createMetrics>;
}

const createTelemetry = (json: boolean): Telemetry => {
  const destination = createDestination();
  const pretty = process.stdout.isTTY === true && !json;
  const metrics = createMetrics({ clock: systemClock, version: version() });
  const onDropped = (lines: number) => metrics.logDropped(lines);
  return {
    pretty,
    metrics,
    log: createLogger({ level: 'info', pretty, destination }),
    accessLog: createAccessLog({ destination, clock: systemClock, pretty, onDropped }),
  };
};

/** What keeps a configuration from running; notes are for `check`. */
const whyRefused = ({ issues, loaded }: ConfigRefused): string =>
  issuesText(
    issues.filter((issue) => issue.severity !== 'note'),
    loaded,
  );

/** At a terminal a refused edit is shown as `check` shows it. */
const showRefusal = (error: ConfigRefused) =>
  printError(`${whyRefused(error)}\nThe new configuration is refused; the old one stays.`);

const run = async (file: string, options: Options) => {
  const telemetry = createTelemetry(options.json === true);
  const { log, pretty } = telemetry;
  let gateway: Gateway;
  try {
    const admin = new AdminPort(telemetry, version());
    gateway = await startGateway({
      ...telemetry,
      file,
      env: process.env,
      clock: systemClock,
      random: systemRandom,
      applied: (now) => admin.follow(now),
      refused: pretty ? showRefusal : undefined,
    });
    surviveFaults(log);
    await admin.settled();
    const warnings = gateway.issues.filter((issue) => issue.severity !== 'note');
    if (warnings.length > 0) printError(issuesText(warnings, gateway.loaded));
    if (process.stdout.isTTY || options.banner) printError(banner(gateway, admin.url));
    else
      log.info('the gateway serves', {
        listen: gateway.listeners.open.map((each) => `${each.host}:${each.port}`),
      });
    await untilStopped(gateway, log);
    await gateway.stop();
    await admin.close();
  } catch (error) {
    if (error instanceof ConfigRefused) throw new CommandFailed(whyRefused(error));
    throw error;
  }
};

/** Makes the command. */
export function startCommand(): Command {
  return new Command('start')
    .summary('run the gateway')
    .description(
      'Runs the gateway until SIGTERM or SIGINT, which let requests under way finish. The file, the plugins beside\n' +
        'it and every file that it names are watched: a good change is in force at once, a bad one is told in the\n' +
        'log and changes nothing. SIGHUP reads them too.',
    )
    .argument('[file]', 'the configuration', DEFAULT_FILE)
    .option('--json', 'log JSON on a terminal too')
    .option('--banner', 'say what listens and which routes there are, though this is no terminal')
    .action(run);
}
