/** Origins made of bare sockets, which answer with exactly the bytes that a test gives them. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Worker } from 'node:worker_threads';
import type { EndpointSpec } from '../../src/wire/endpoint.ts';

/** One request as it came, up to the blank line. */
export interface RawRequest {
  /** Head as text, without the blank line. */
  readonly head: string;
  /** What had come behind the head; more may come on the socket's `data`. */
  readonly rest: Buffer;
  readonly socket: Socket;
  /** 1 for the first request to this origin. */
  readonly number: number;
}

export type Answer = (request: RawRequest) => void;

export interface RawOrigin {
  readonly spec: EndpointSpec;
  /** Sockets accepted so far. */
  readonly accepted: number;
  /** Heads received so far. */
  readonly heads: readonly string[];
  readonly sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

export const specOf = (
  port: number,
  scheme: 'http' | 'https' = 'http',
  host = '127.0.0.1',
): EndpointSpec => ({
  scheme,
  host,
  port,
  weight: 1,
});

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

const readHeads = (socket: Socket, found: (head: string, rest: Buffer) => void) => {
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1 || !/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(bytes.toString('latin1'))) return;
    const head = bytes.toString('latin1', 0, end);
    const rest = bytes.subarray(end + 4);
    bytes = Buffer.alloc(0);
    found(head, rest);
  });
};

/** An origin that calls `answer` for each request head; bodies of requests are left to it. */
export async function createRawOrigin(answer: Answer, tls: TlsOptions | null = null): Promise<RawOrigin> {
  const sockets = new Set<Socket>();
  const heads: string[] = [];
  let accepted = 0;
  const serve = (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    readHeads(socket, (head, rest) => {
      heads.push(head);
      answer({ head, rest, socket, number: heads.length });
    });
  };
  const server = tls === null ? createServer(serve) : createTlsServer(tls, serve);
  const port = await listen(server);
  return {
    spec: specOf(port, tls === null ? 'http' : 'https'),
    get accepted() {
      return accepted;
    },
    heads,
    sockets,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** An origin that writes the same bytes for every request. */
export const createFixedOrigin = (bytes: string): Promise<RawOrigin> =>
  createRawOrigin(({ socket }) => socket.write(bytes, 'latin1'));

/** A port on which nobody listens. */
export async function refusingSpec(): Promise<EndpointSpec> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return specOf(port);
}

const DEAF = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });
`;

/**
 * A port that answers no SYN: its owner never accepts, and its backlog is full. Works where no address can be
 * counted on to swallow packets.
 */
export async function createBlackHole(): Promise<{ spec: EndpointSpec; close(): Promise<void> }> {
  const worker = new Worker(DEAF, { eval: true });
  const [port] = (await once(worker, 'message')) as [number];
  const fillers: Socket[] = [];
  for (let full = false; !full; ) {
    const socket = connect(port, '127.0.0.1');
    fillers.push(socket);
    socket.on('error', () => socket.destroy());
    full = await Promise.race([
      once(socket, 'connect').then(() => false),
      new Promise<true>((resolve) => setTimeout(resolve, 150, true)),
    ]);
    if (fillers.length > 64) throw new Error('the backlog does not fill');
  }
  return {
    spec: specOf(port),
    async close() {
      for (const socket of fillers) socket.destroy();
      await worker.terminate();
    },
  };
}
