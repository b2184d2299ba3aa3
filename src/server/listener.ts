/** The HTTP/1 listener: accepts connections, keeps its limits and clocks, and drains. */
import { createServer, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import { gatewayError } from '../kernel/errors.ts';
import type { Wheel } from '../kernel/wheel.ts';
import type { Serve } from '../wire/downstream.ts';
import { Connection } from './connection.ts';
import { type HeldSocket, HOLDER, Incoming } from './incoming.ts';
import { parseProblem } from './parse-problem.ts';
import type { ListenerLimits, ListenerTimeouts, Refused, Settings } from './settings.ts';

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly serve: Serve;
  readonly refused: Refused;
  readonly limits: ListenerLimits;
  readonly timeouts: ListenerTimeouts;
  readonly clock: Clock;
  readonly wheel: Wheel;
}

export interface Listener {
  readonly host: string;
  /** The bound one, once `listen` is done. */
  readonly port: number;
  /** Open now, lingering ones included. */
  readonly connections: number;
  /** Binds. Rejects with the system's error (EADDRINUSE, EACCES). */
  listen(): Promise<void>;
  /** For the requests that start from now on. */
  setServe(serve: Serve): void;
  /** For requests from now on; the size of a head as a whole for new connections. */
  setLimits(limits: ListenerLimits): void;
  /**
   * Takes no more connections, closes idle ones, ends each other one after its answer, and cuts what is left.
   * @param graceMs how long what runs may take
   */
  drain(graceMs: number): Promise<void>;
}

/** Room for the request line and separators beside the field lines, so that our own exact limits are met first. */
const headRoom = (limits: ListenerLimits) => limits.headerBytes + limits.urlBytes + 1024;
/** Connections over the limit that are told so at one time; beyond them the door just closes. */
const MAX_TOLD = 256;

/** Makes a listener; nothing is bound before `listen`. */
export function createHttp1Listener(options: ListenerOptions): Listener {
  const { timeouts, wheel, clock } = options;
  const open = new Set<Connection>();
  const settings: Settings = {
    serve: options.serve,
    limits: options.limits,
    draining: false,
    refused: options.refused,
    timeouts,
    clock,
    wheel,
  };
  let port = options.port;
  let emptied: (() => void) | null = null;

  const gone = (connection: Connection) => {
    open.delete(connection);
    if (open.size === 0) emptied?.();
  };
  const held = (socket: unknown) => (socket as HeldSocket)[HOLDER] as Connection | undefined;
  const onRequest = (req: Incoming, res: ServerResponse) => held(req.socket)?.request(req, res);

  const server = createServer<typeof Incoming, typeof ServerResponse>({
    IncomingMessage: Incoming,
    ServerResponse,
    maxHeaderSize: headRoom(options.limits),
    headersTimeout: timeouts.headersMs,
    requestTimeout: 0,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: 1000,
    requireHostHeader: false,
    noDelay: true,
    optimizeEmptyRequests: true,
    shouldUpgradeCallback: (req) => {
      const connection = held(req.socket);
      if (connection === undefined) return false;
      const incoming = req as Incoming;
      incoming.inspect(connection.limits, connection.scheme, connection.ownAuthority);
      return incoming.handshake;
    },
  });
  // Its notion of idle takes in answers that are still being flushed: closing is ours alone.
  server.closeIdleConnections = nothing;
  // Our own check counts them; node:http would drop the surplus without a word.
  server.maxHeadersCount = 0;
  server.timeout = 0;

  server.on('connection', (socket: Socket) => {
    if (socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const limit = settings.limits.connections;
    const over = open.size - limit;
    const connection = new Connection(socket, settings, gone);
    open.add(connection);
    if (over < 0) return;
    if (over < MAX_TOLD) {
      connection.refuse(gatewayError('GW_CONNECTIONS', `${limit} connections`), null);
    } else {
      settings.refused(gatewayError('GW_CONNECTIONS', `${limit} connections`), connection.peer, '');
      socket.destroy();
    }
  });
  server.on('request', onRequest);
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  server.on('upgrade', (req: Incoming, _stream, early: Buffer) => held(req.socket)?.upgrade(req, early));
  server.on('connect', (req: Incoming, stream) => {
    const connection = held(req.socket);
    if (connection === undefined) {
      stream.destroy();
      return;
    }
    connection.tunnelRefused(gatewayError('GW_METHOD_REFUSED', 'CONNECT'));
  });
  server.on('clientError', (error: Error & { code?: string }, stream) => {
    const connection = held(stream);
    const problem = parseProblem(error, settings.limits);
    if (connection === undefined) stream.destroy();
    else if (problem !== null) connection.refuseParse(problem);
  });

  return {
    host: options.host,
    get port() {
      return port;
    },
    get connections() {
      return open.size;
    },
    listen() {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
          server.off('error', reject);
          // File descriptors used up: the connection is lost, the listener must not be.
          server.on('error', (error) =>
            settings.refused(gatewayError('GW_CONNECTIONS', error.message, error), NOBODY, ''),
          );
          port = (server.address() as AddressInfo).port;
          resolve();
        });
      });
    },
    setServe(serve) {
      settings.serve = serve;
    },
    setLimits(limits) {
      settings.limits = limits;
      (server as { maxHeaderSize?: number }).maxHeaderSize = headRoom(limits);
    },
    async drain(graceMs) {
      settings.draining = true;
      server.close();
      for (const connection of open) connection.drain();
      if (open.size === 0) return;
      await new Promise<void>((resolve) => {
        const cut = clock.after(graceMs, () => {
          for (const connection of open) connection.destroy();
        });
        emptied = () => {
          cut.cancel();
          resolve();
        };
      });
    },
  };
}

const nothing = () => {};
const NOBODY = { address: '', port: 0, localAddress: '', localPort: 0, secure: false };
