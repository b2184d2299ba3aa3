/** The admin server: its own listener for probes, metrics and a small JSON API. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { PluginLogger } from '../plugin.ts';
import { type AdminAnswer, problem, send } from './answer.ts';
import { createGuard, type Guard, isLoopback } from './guard.ts';
import { createMatch } from './match.ts';
import { RESOURCES } from './resources.ts';
import type { AdminSources } from './sources.ts';

export interface AdminOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Needed for all but /metrics, /healthz and /readyz as soon as the address is not loopback. */
  readonly token: string | null;
  readonly sources: AdminSources;
  readonly log: PluginLogger;
  readonly clock?: Clock;
}

export interface Admin {
  /** The port that is listened on; the configured one before `listen`. */
  readonly port: number;
  /** Rejects when the address cannot be had. */
  listen(): Promise<void>;
  /** Stops listening; answers under way get a second to finish. */
  close(): Promise<void>;
}

const LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
} as const;
const MAX_CONNECTIONS = 128;
/** A body that is not used is read away up to here. */
const BODY_LIMIT = 4096;
const CLOSE_MS = 1000;

const match = createMatch(RESOURCES);

const countHosts = (rawHeaders: readonly string[]) =>
  rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;

const hasLargeBody = ({ headers }: IncomingMessage) =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > BODY_LIMIT;

/** The body as text; null where it is larger than that, or broke off, which `errored` tells. */
const readBody = (request: IncomingMessage, maxBytes: number): Promise<string | null> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else resolve(null);
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString()));
    request.on('close', () => resolve(null));
  });

/** Makes an admin server; nothing listens before `listen`. */
export function createAdmin(options: AdminOptions): Admin {
  const { sources, log } = options;
  const clock = options.clock ?? systemClock;
  let guard: Guard = createGuard(false, options.token);
  let port = options.port;

  const answerTo = async (request: IncomingMessage): Promise<AdminAnswer> => {
    const path = (request.url ?? '').split('?', 1)[0]!;
    const method = request.method ?? '';
    const found = match(path);
    const resources = found?.resources;
    const wanted = method === 'HEAD' ? 'GET' : method;
    const resource = resources?.find((one) => one.method === wanted);
    const asked = { method, headers: request.headers, hosts: countHosts(request.rawHeaders) };
    // The guard comes first: who may not ask learns nothing of what there is.
    const refused = guard.check(resource ?? resources?.[0] ?? RESOURCES.at(-1)!, asked);
    if (refused !== null) return refused;
    if (found === null || resources === undefined) return problem(404, 'No such resource; GET / lists them.');
    if (resource === undefined) {
      const allow = resources.map((one) => (one.method === 'GET' ? 'GET, HEAD' : one.method)).join(', ');
      return problem(405, `${path} allows ${allow}.`, { allow });
    }
    const { bodyBytes = 0 } = resource;
    if (bodyBytes === 0 && hasLargeBody(request)) return problem(413, 'No body is needed here.');
    const body = bodyBytes === 0 ? '' : await readBody(request, bodyBytes);
    if (request.errored !== null) return problem(400, 'The body broke off.');
    if (body === null) return problem(413, `The body is larger than ${bodyBytes} bytes.`);
    try {
      return await resource.answer({ sources, log, params: found.params, body });
    } catch (error) {
      log.error('an admin resource failed', { path, error });
      return problem(500, 'The resource failed; the log says why.');
    }
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = await answerTo(request);
    const unread = !request.readableEnded && hasLargeBody(request);
    const close = unread || !server.listening;
    send(response, answer, { head: request.method === 'HEAD', close });
    // Read away, so that the connection can be used again; with `close` Node ends it after the answer.
    request.resume();
  };

  const server: Server = createServer(LIMITS, (request, response) => {
    request.on('error', (error) => log.debug('an admin connection broke', { error }));
    serve(request, response).catch((error: unknown) => {
      log.error('an admin answer failed', { error });
      response.destroy();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = 30_000;
  server.on('clientError', (_error, socket) => {
    if (socket.writable)
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });

  return {
    get port() {
      return port;
    },
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: options.host, port: options.port }, () => {
          server.off('error', reject);
          server.on('error', (error) => log.error('the admin server failed', { error }));
          const bound = server.address() as AddressInfo;
          port = bound.port;
          const loopback = isLoopback(bound.address);
          guard = createGuard(loopback, options.token);
          if (!loopback && options.token === null) {
            log.warn('the admin server has no token: only metrics and probes are served', {
              host: options.host,
            });
          }
          resolve();
        });
      }),
    close: () =>
      new Promise((resolve) => {
        if (!server.listening) {
          resolve();
          return;
        }
        const cut = clock.after(CLOSE_MS, () => server.closeAllConnections());
        server.close(() => {
          cut.cancel();
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
