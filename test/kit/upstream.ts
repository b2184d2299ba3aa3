/** Origins on real sockets, an upstream over them, and a caller that writes down what it hears. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import { systemClock } from '../../src/kernel/clock.ts';
import { type GatewayError, gatewayError } from '../../src/kernel/errors.ts';
import type { Random } from '../../src/kernel/random.ts';
import { createWheel } from '../../src/kernel/wheel.ts';
import { createCall } from '../../src/proxy/call.ts';
import { createEndpointTransport } from '../../src/transport/endpoint-transport.ts';
import type { EndpointTransport } from '../../src/upstream/slot.ts';
import { createUpstream, type Upstream, type UpstreamOptions } from '../../src/upstream/upstream.ts';
import type { Body, Sink } from '../../src/wire/body.ts';
import type { EndpointSpec } from '../../src/wire/endpoint.ts';
import { createFields, type Fields } from '../../src/wire/fields.ts';
import type { RequestHead, ResponseHead } from '../../src/wire/heads.ts';
import type { Call, CallObserver, Receiver, Transport } from '../../src/wire/transport.ts';
import type { Tunnel } from '../../src/wire/tunnel.ts';
import { createSeededRandom } from './clock.ts';
import { keepingLogger } from './plugin.ts';

export interface Origin {
  readonly spec: EndpointSpec;
  /** `METHOD path body` of each request that came whole. */
  readonly seen: string[];
  close(): Promise<void>;
}

const specAt = (port: number, weight: number): EndpointSpec => ({
  scheme: 'http',
  host: '127.0.0.1',
  port,
  weight,
});

const listening = (server: { listen(port: number, host: string, done: () => void): unknown }) =>
  new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

/** An HTTP origin; `serve` is called once a request came whole. */
export async function startOrigin(
  serve: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void = (_, response) =>
    response.end('ok'),
  weight = 1,
): Promise<Origin> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      seen.push(
        `${request.method} ${request.url} ${body.length > 40 ? body.length : body.toString()}`.trim(),
      );
      serve(request, response, body);
    });
  });
  await listening(server);
  return {
    spec: specAt((server.address() as AddressInfo).port, weight),
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An origin that is handed the raw connections, with the number of each from 0. */
export async function startRawOrigin(
  connected: (socket: Socket, number: number) => void,
  weight = 1,
): Promise<Origin> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    connected(socket, count++);
  });
  await listening(server);
  return {
    spec: specAt((server.address() as AddressInfo).port, weight),
    seen: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** An endpoint whose port nobody listens on. */
export async function refusingSpec(weight = 1): Promise<EndpointSpec> {
  const server = createNetServer();
  await listening(server);
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return specAt(port, weight);
}

export const RETRY: UpstreamOptions['retry'] = {
  attempts: 2,
  on: ['connect', 'reset', 503],
  budget: 0.2,
  perTryMs: null,
  hedgeAfterMs: null,
  maxRetryAfterMs: 2000,
};

export interface Bench {
  readonly upstream: Upstream;
  readonly call: Transport & Tunnel;
  /** Connections of all endpoints. */
  close(): Promise<void>;
}

/** An upstream over real connections, in the order of the specs. */
export function openBench(
  targets: readonly EndpointSpec[],
  retry: Partial<UpstreamOptions['retry']> = {},
  random: Random = createSeededRandom(1),
): Bench {
  const wheel = createWheel(systemClock, 5);
  const parts = { clock: systemClock, random, wheel };
  const upstream = createUpstream(
    { name: 'test', balance: { method: 'round-robin' }, retry: { ...RETRY, ...retry }, targets },
    {
      clock: systemClock,
      random,
      log: keepingLogger(),
      open: (spec) =>
        createEndpointTransport({
          spec,
          clock: systemClock,
          wheel,
          keepAliveMs: 60_000,
          maxHeaderBytes: 16_384,
          tls: null,
        }) as EndpointTransport,
    },
  );
  return {
    upstream,
    call: createCall(upstream, parts),
    async close() {
      await upstream.close(0);
      wheel.stop();
    },
  };
}

export function headOf(method: string, path = '/'): RequestHead {
  return { method, scheme: 'http', authority: 'test', path, query: '', fields: createFields() };
}

/** A body that gives its chunks one at a time, as fast as they are taken. */
export class ChunkBody implements Body {
  readonly length: number | null;
  reads = 0;
  cancelled: GatewayError | null = null;
  readonly #chunks: readonly Uint8Array[];
  #at = 0;

  constructor(chunks: readonly Uint8Array[], lengthKnown = true) {
    this.#chunks = chunks;
    this.length = lengthKnown ? chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0) : null;
  }

  read(into: Sink): void {
    this.reads++;
    into.ready = () => this.#flow(into);
    this.#flow(into);
  }

  cancel(why: GatewayError): void {
    this.cancelled ??= why;
  }

  #flow(into: Sink): void {
    while (this.cancelled === null && this.#at < this.#chunks.length) {
      if (!into.write(this.#chunks[this.#at++]!)) return;
    }
    if (this.cancelled === null && this.#at === this.#chunks.length) {
      this.#at++;
      into.end(null);
    }
  }
}

export function bodyOf(...texts: string[]): ChunkBody {
  return new ChunkBody(texts.map((text) => Buffer.from(text)));
}

/** What a caller heard of one call, and how it ended. */
export class Caller implements Receiver, Sink, CallObserver {
  ready: (() => void) | null = null;
  status = 0;
  fields: Fields = createFields();
  body = '';
  error: GatewayError | null = null;
  readonly informed: number[] = [];
  /** `endpoint` of each attempt, in order. */
  readonly attempts: string[] = [];
  /** Status or code of each attempt. */
  readonly outcomes: (number | string)[] = [];
  /** What an attempt may do to its head. */
  onAttempt: ((head: RequestHead, number: number) => void) | null = null;
  onHead: (() => void) | null = null;
  readonly ended: Promise<this>;
  /** How often it heard an end, of whichever kind. */
  ends = 0;
  /** False: the body is left unread. */
  reads = true;
  response: Body | null = null;
  #settle: () => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#settle = () => resolve(this);
    });
  }

  attempt(head: RequestHead, to: { endpoint: string }): void {
    this.attempts.push(to.endpoint);
    this.onAttempt?.(head, this.attempts.length);
  }

  attempted(status: number, error: GatewayError | null): void {
    this.outcomes.push(error === null ? status : error.code);
  }

  inform(status: number): void {
    this.informed.push(status);
  }

  head(head: ResponseHead, body: Body): void {
    this.status = head.status;
    this.fields = head.fields;
    this.response = body;
    this.onHead?.();
    if (this.reads) body.read(this);
  }

  write(chunk: Uint8Array): boolean {
    this.body += Buffer.from(chunk).toString();
    return true;
  }

  end(): void {
    this.ends++;
    this.#settle();
  }

  fail(error: GatewayError): void {
    this.ends++;
    this.error = error;
    this.#settle();
  }
}

export function callOf(caller: Caller | null, head: RequestHead, change: Partial<Call> = {}): Call {
  return {
    head,
    body: null,
    deadlineMs: Number.POSITIVE_INFINITY,
    timeouts: { connectMs: 1000, firstByteMs: 5000, idleMs: 5000 },
    hash: 0,
    observer: caller,
    ...change,
  };
}

/** Sends and waits for the end, whichever it is. */
export function send(transport: Transport, head: RequestHead, change: Partial<Call> = {}): Promise<Caller> {
  const caller = new Caller();
  transport.send(callOf(caller, head, change), caller);
  return caller.ended;
}

export const LEFT = gatewayError('GW_CLIENT_LEFT');
