/** A whole gateway in front of an origin that tells what it got, with plugins beside its gateway.yaml. */
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { type Gateway, startGateway } from '../../src/runtime/gateway.ts';
import { createAccessLog } from '../../src/telemetry/access-log.ts';
import type { LogDestination } from '../../src/telemetry/destination.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { folderOf } from './plugin.ts';

export interface Asked {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface PluginGateway {
  readonly gateway: Gateway;
  /** Requests that reached the origin. */
  readonly reached: { method: string; url: string; headers: IncomingHttpHeaders }[];
  /** Lines of the log and the access log. */
  readonly lines: string[];
  write(name: string, text: string): void;
  ask(path: string, options?: { method?: string; headers?: Record<string, string> }): Promise<Asked>;
}

const keeping = (lines: string[]): LogDestination => ({
  write(text) {
    lines.push(typeof text === 'string' ? text : new TextDecoder().decode(text));
    return true;
  },
  flush: async () => undefined,
  flushSync: () => undefined,
});

/**
 * Starts a gateway on a port of its own; all of it is gone when the test ends.
 * @param yaml `ORIGIN` in it stands for the origin's address
 */
export async function startPluginGateway(
  yaml: string,
  files: Readonly<Record<string, string>> = {},
): Promise<PluginGateway> {
  const reached: PluginGateway['reached'] = [];
  const origin = createServer((incoming, outgoing) => {
    reached.push({ method: incoming.method!, url: incoming.url!, headers: incoming.headers });
    outgoing.setHeader('server', 'origin').end('from the origin');
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void origin.close());
  const address = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  const text = (from: string) => `listen: 127.0.0.1:0\nadmin: false\n${from.replaceAll('ORIGIN', address)}`;
  const folder = folderOf({ ...files, 'gateway.yaml': text(yaml) });
  const lines: string[] = [];
  const destination = keeping(lines);
  const gateway = await startGateway({
    file: join(folder.path, 'gateway.yaml'),
    env: {},
    clock: systemClock,
    random: systemRandom,
    metrics: createMetrics({ clock: systemClock, version: '0.0.0' }),
    log: createLogger({ level: 'info', destination }),
    accessLog: createAccessLog({ destination, clock: systemClock }),
  });
  onTestFinished(() => gateway.stop());
  const { port } = gateway.listeners.open[0]!;
  return {
    gateway,
    reached,
    lines,
    write: (name, content) => folder.write(name, name === 'gateway.yaml' ? text(content) : content),
    ask: (path, options = {}) =>
      new Promise((resolve, reject) => {
        const outgoing = request({ host: '127.0.0.1', port, path, agent: false, ...options }, (incoming) => {
          let body = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            body += chunk;
          });
          incoming.on('end', () =>
            resolve({ status: incoming.statusCode!, headers: incoming.headers, body }),
          );
          incoming.on('error', reject);
        });
        outgoing.on('error', reject);
        outgoing.end();
      }),
  };
}
