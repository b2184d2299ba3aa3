/** A real Eureka server for tests: Spring Cloud's, with caches and evictions in fractions of a second. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inCache, onPath } from './server-cache.ts';
import { freePorts, type ServerProcess, startServer } from './server-process.ts';

/** Where `scripts/test-servers.ts` builds it. */
export const EUREKA_BUILT = inCache('eureka-2025.0.0');

/** Why tests with Eureka can't run here, or null. */
export const EUREKA_MISSING =
  onPath('java') === null || !existsSync(EUREKA_BUILT)
    ? 'no Java, or no Eureka built: run "npm run test:servers"'
    : null;

export interface TestEureka {
  readonly server: ServerProcess;
  /** http://127.0.0.1:PORT/eureka */
  readonly url: string;
  /**
   * Calls the REST API below `url`.
   * @throws Error with the answer, unless its status is 200 or 204
   */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts a server, whose memory is all that it has: killed and started again, it is empty. */
export async function startEureka(): Promise<TestEureka> {
  if (EUREKA_MISSING !== null) throw new Error(EUREKA_MISSING);
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}/eureka`;

  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      signal: AbortSignal.timeout(5_000),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.status !== 200 && answer.status !== 204)
      throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  };

  const settings = {
    'server.port': port,
    'server.address': '127.0.0.1',
    'spring.main.banner-mode': 'off',
    'eureka.client.register-with-eureka': false,
    'eureka.client.fetch-registry': false,
    'eureka.server.enable-self-preservation': false,
    'eureka.server.eviction-interval-timer-in-ms': 500,
    'eureka.server.response-cache-update-interval-ms': 100,
    'eureka.server.wait-time-in-ms-when-sync-empty': 0,
    // An answer that was being made while an instance came or went is kept without it (guava issue 1881), for 180 s
    // unless said: measured here under load, in one of a hundred rounds. Eureka's own clients wait as long.
    'eureka.server.response-cache-auto-expiration-in-seconds': 1,
  };
  const server = await startServer({
    name: 'eureka',
    command: 'java',
    args: [
      '-Xmx256m',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      `${join(EUREKA_BUILT, 'classes')}:${join(EUREKA_BUILT, 'dependency')}/*`,
      'snowgate.eureka.EurekaServer',
      ...Object.entries(settings).map(([key, value]) => `--${key}=${value}`),
    ],
    ready: async () => (await call('GET', '/apps')) !== null,
    readyWithinMs: 60_000,
  });
  return { server, url, call, close: () => server.stop() };
}
