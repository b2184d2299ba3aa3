/** The whole gateway on a gateway.yaml in a folder of its own, with its log lines kept, and a client before it. */
import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { ConfigRefused, type Gateway, startGateway } from '../../src/runtime/gateway.ts';
import { createAccessLog } from '../../src/telemetry/access-log.ts';
import type { LogDestination } from '../../src/telemetry/destination.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { folderOf } from './plugin.ts';
import { parseScrape } from './telemetry.ts';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface AccessLine {
  readonly traceId: string;
  readonly status: number;
  readonly code: string;
  readonly closing: string;
  readonly route: string;
  readonly path: string;
  readonly method: string;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly attempts: number;
  readonly [field: string]: unknown;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
  readonly port?: number;
  readonly agent?: Agent | false;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: string;
  /** Whether the body ended as its framing says. */
  readonly whole: boolean;
}

export interface TestGateway {
  readonly gateway: Gateway;
  readonly folder: string;
  /** Of the first listener. */
  readonly port: number;
  readonly log: readonly LogLine[];
  readonly access: readonly AccessLine[];
  /** How many configurations have been put in force. */
  readonly applied: number;
  /** Writes a file beside gateway.yaml (or that one), without waiting. */
  write(name: string, text: string): void;
  /** Writes gateway.yaml and waits until it is in force. */
  edit(yaml: string): Promise<void>;
  /** Writes gateway.yaml and waits until it is refused; gives the log lines of that. */
  spoil(yaml: string): Promise<LogLine[]>;
  ask(path: string, options?: AskOptions): Promise<Answer>;
  /** The access line that fits, now or later. */
  line(fits: (line: AccessLine) => boolean): Promise<AccessLine>;
  /** The log line whose message has this part, now or later. */
  logged(part: string): Promise<LogLine>;
  scrape(): Promise<string>;
  /** The series of a scrape, as `name{labels}`. */
  series(): Promise<Map<string, number>>;
}

/** Waits until a condition holds that nothing announces. */
export async function until(condition: () => boolean, what = 'a condition'): Promise<void> {
  const over = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > over) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const keeping = (keep: (line: unknown) => void): LogDestination => ({
  write(lines) {
    const text = typeof lines === 'string' ? lines : new TextDecoder().decode(lines);
    for (const line of text.split('\n')) if (line !== '') keep(JSON.parse(line));
    return true;
  },
  flush: async () => undefined,
  flushSync: () => undefined,
});

/** One request on a connection of its own unless an agent is given. */
export function ask(path: string, options: AskOptions & { readonly port: number }): Promise<Answer> {
  const { method = 'GET', headers = {}, body, port, agent = false } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, agent, method, headers }, (incoming) => {
      let text = '';
      incoming.setEncoding('latin1');
      incoming.on('data', (chunk: string) => {
        text += chunk;
      });
      // An answer that is cut off ends here too, and `complete` tells.
      incoming.on('error', () => undefined);
      incoming.on('close', () =>
        resolve({
          status: incoming.statusCode!,
          headers: incoming.headers,
          trailers: incoming.trailers,
          body: text,
          whole: incoming.complete,
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const withAddresses = (yaml: string) =>
  `${/^listen:/m.test(yaml) ? '' : 'listen: 127.0.0.1:0\n'}${/^admin:/m.test(yaml) ? '' : 'admin: off\n'}${yaml}`;

/**
 * Starts a gateway; all of it is gone when the test ends.
 * @param yaml `listen` is a free port and `admin` off unless it says otherwise
 */
export async function startTestGateway(
  yaml: string,
  files: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> {
  const folder = folderOf({ ...files, 'gateway.yaml': withAddresses(yaml) });
  const log: LogLine[] = [];
  const access: AccessLine[] = [];
  let applied = 0;
  const metrics = createMetrics({ clock: systemClock, version: '0.0.0', process: false });
  const accessLog = createAccessLog({
    destination: keeping((line) => access.push(line as AccessLine)),
    clock: systemClock,
  });
  const gateway = await startGateway({
    file: join(folder.path, 'gateway.yaml'),
    env,
    clock: systemClock,
    random: systemRandom,
    metrics,
    log: createLogger({ level: 'info', destination: keeping((line) => log.push(line as LogLine)) }),
    accessLog: {
      ...accessLog,
      write(outcome) {
        accessLog.write(outcome);
        accessLog.flush();
      },
      dropped: 0,
    },
    applied: () => {
      applied++;
    },
  });
  onTestFinished(() => gateway.stop());
  const scrape = () => {
    gateway.measure();
    return metrics.render();
  };
  return {
    gateway,
    folder: folder.path,
    get port() {
      return gateway.listeners.open[0]!.port;
    },
    log,
    access,
    get applied() {
      return applied;
    },
    write: (name, text) => folder.write(name, name === 'gateway.yaml' ? withAddresses(text) : text),
    async edit(text) {
      const before = applied;
      folder.write('gateway.yaml', withAddresses(text));
      await until(() => applied > before, `a new configuration; ${JSON.stringify(log.slice(-3))}`);
    },
    async spoil(text) {
      const before = log.length;
      const refusals = () => log.slice(before).filter((line) => line.msg.includes('is refused'));
      folder.write('gateway.yaml', withAddresses(text));
      await until(() => refusals().length > 0, 'a refusal');
      return refusals();
    },
    ask: (path, options = {}) => ask(path, { port: gateway.listeners.open[0]!.port, ...options }),
    async line(fits) {
      await until(() => access.some(fits), `an access line; ${JSON.stringify(access.slice(-3))}`);
      return access.find(fits)!;
    },
    async logged(part) {
      const fits = (line: LogLine) => line.msg.includes(part);
      await until(() => log.some(fits), `"${part}" in the log`);
      return log.find(fits)!;
    },
    scrape,
    series: async () => parseScrape(await scrape()),
  };
}

/** What is wrong with a configuration that cannot even start: `line: message`. */
export async function refusalOf(yaml: string): Promise<string[]> {
  try {
    await startTestGateway(yaml);
  } catch (error) {
    if (!(error instanceof ConfigRefused)) throw error;
    return error.issues
      .filter((issue) => issue.severity === 'error')
      .map((issue) => `${issue.place?.line ?? 0}: ${issue.message}`);
  }
  return [];
}
