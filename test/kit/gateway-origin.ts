/** Origins of node:http behind a test gateway: what reached them, and connections that can be cut. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';

export interface Reached {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Origin {
  readonly url: string;
  readonly port: number;
  /** `host:port`, as the log has it. */
  readonly endpoint: string;
  /** Requests that came whole, in their order. */
  readonly reached: Reached[];
  /** Open connections. */
  readonly sockets: ReadonlySet<Duplex>;
  close(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const listen = async (
  server: ReturnType<typeof createNetServer>,
  port: number,
): Promise<Omit<Origin, 'reached'>> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Tests cut connections on purpose, from either side.
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  onTestFinished(close);
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    endpoint: `127.0.0.1:${bound}`,
    sockets,
    close,
  };
};

/**
 * Starts an origin; it is gone after the test.
 * @param handler called once a request came whole; by default it answers with its port as text
 * @param port a free one unless said
 */
export async function startOrigin(handler?: Handler, port = 0): Promise<Origin> {
  const reached: Reached[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('error', () => response.destroy());
    request.on('end', () => {
      reached.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      if (handler === undefined) response.end(String(request.socket.localPort));
      else handler(request, response, body);
    });
  });
  return { ...(await listen(server, port)), reached };
}

/** Starts an origin that is handed each connection as it is. */
export async function startRawOrigin(connected: (socket: Socket) => void): Promise<Omit<Origin, 'reached'>> {
  return listen(createNetServer(connected), 0);
}

/** Starts an origin that sends every WebSocket message back. */
export async function startEchoOrigin(): Promise<Origin & { readonly clients: ReadonlySet<WebSocket> }> {
  const server = createServer((_request, response) => void response.end('no upgrade'));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return { ...(await listen(server, 0)), reached: [], clients: sockets.clients };
}

/** A port of this machine where nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
