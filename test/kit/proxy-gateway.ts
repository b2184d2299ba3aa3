/** A listener, an endpoint and the forwarding between them on real sockets, and raw origins and clients around them. */
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { systemClock } from '../../src/kernel/clock.ts';
import { gatewayError } from '../../src/kernel/errors.ts';
import { createWheel } from '../../src/kernel/wheel.ts';
import { compileChain } from '../../src/pipeline/chain.ts';
import { LiveExchange } from '../../src/pipeline/exchange.ts';
import { answer } from '../../src/proxy/answer.ts';
import { type ForwardOptions, forward } from '../../src/proxy/forward.ts';
import { errorReply } from '../../src/proxy/problem.ts';
import { prepareRequest } from '../../src/proxy/request-head.ts';
import { detectLoop } from '../../src/proxy/via.ts';
import { createHttp1Listener } from '../../src/server/listener.ts';
import { createEndpointTransport } from '../../src/transport/endpoint-transport.ts';
import type { Closing, Downstream } from '../../src/wire/downstream.ts';
import type { Call, Receiver, Transport } from '../../src/wire/transport.ts';
import type { Tunnel, TunnelReceiver } from '../../src/wire/tunnel.ts';

const NO_CHAIN = compileChain([]);

export interface Finished {
  readonly x: LiveExchange;
  readonly how: Closing;
  readonly inBytes: number;
  readonly outBytes: number;
}

export interface TestGateway {
  readonly port: number;
  /** Exchanges in the order of their coming. */
  readonly exchanges: LiveExchange[];
  /** The next exchange that is closed, or one that was and has not been asked for. */
  finished(): Promise<Finished>;
  close(): Promise<void>;
}

/** An endpoint told of as a call would tell of it. */
const observed = (endpoint: Transport & Tunnel, name: string): Transport & Tunnel => ({
  send(call: Call, to: Receiver) {
    call.observer?.attempt(call.head, { upstream: 'origin', endpoint: name });
    return endpoint.send(call, to);
  },
  connect(call: Call, to: TunnelReceiver) {
    call.observer?.attempt(call.head, { upstream: 'origin', endpoint: name });
    return endpoint.connect(call, to);
  },
  close: (graceMs) => endpoint.close(graceMs),
});

export interface GatewayExtras {
  readonly trusted?: boolean;
  /** Where the `request` hooks would run. */
  readonly before?: (x: LiveExchange) => void;
}

/** A gateway in front of 127.0.0.1:`originPort`. */
export async function startGateway(
  originPort: number,
  more: Partial<ForwardOptions> & GatewayExtras = {},
): Promise<TestGateway> {
  const { trusted = false, before = null, ...given } = more;
  const clock = systemClock;
  const wheel = createWheel(clock, 10);
  const endpoint = createEndpointTransport({
    spec: { scheme: 'http', host: '127.0.0.1', port: originPort, weight: 1 },
    clock,
    wheel,
    keepAliveMs: 10_000,
    maxHeaderBytes: 16_384,
    tls: null,
  });
  const options: ForwardOptions = {
    call: observed(endpoint, `127.0.0.1:${originPort}`),
    upstreamName: 'origin',
    timeouts: { connectMs: 1000, firstByteMs: 5000, idleMs: 5000 },
    timeoutMs: 15_000,
    maxDurationMs: null,
    wheel,
    hash: null,
    hostHeader: 'keep',
    viaName: 'snowgate-test',
    bodyLimitBytes: 1024 ** 3,
    respond: null,
    attempt: null,
    done: null,
    ...given,
  };
  const exchanges: LiveExchange[] = [];
  const over: Finished[] = [];
  const waiting: ((finished: Finished) => void)[] = [];
  let nextId = 1000;

  const serve = (down: Downstream) => {
    const x = new LiveExchange({
      id: String(nextId++),
      down,
      client: { address: down.peer.address, trusted, scheme: 'http' },
      route: { name: 'all', host: '', path: '/**' },
      params: {},
      received: down.head,
      startMs: clock.nowMs(),
      startWallMs: clock.wallMs(),
      chain: NO_CHAIN,
      slotCount: 0,
      clock,
    });
    exchanges.push(x);
    down.closed = (how, inBytes, outBytes) => {
      const finished = { x, how, inBytes, outBytes };
      const first = waiting.shift();
      if (first === undefined) over.push(finished);
      else first(finished);
    };
    if (detectLoop(x.received.fields, options.viaName)) {
      answer(x, errorReply(gatewayError('GW_LOOP')), options);
      return;
    }
    prepareRequest(x, options);
    before?.(x);
    forward(x, options);
  };

  const listener = createHttp1Listener({
    host: '127.0.0.1',
    port: 0,
    serve,
    refused: () => '',
    limits: { headerBytes: 16_384, headerCount: 100, urlBytes: 8192, connections: 1000 },
    timeouts: { headersMs: 5000, bodyIdleMs: 5000, keepAliveMs: 5000, writeIdleMs: 20_000 },
    clock,
    wheel,
  });
  await listener.listen();

  return {
    get port() {
      return listener.port;
    },
    exchanges,
    finished() {
      const first = over.shift();
      return first !== undefined ? Promise.resolve(first) : new Promise((resolve) => waiting.push(resolve));
    },
    async close() {
      await listener.drain(0);
      await endpoint.close(0);
      wheel.stop();
    },
  };
}

export interface TestOrigin {
  readonly port: number;
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

const origin = (server: net.Server): Promise<TestOrigin> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Tests cut connections on purpose, from either side.
    socket.on('error', () => socket.destroy());
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        sockets,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.destroy();
          }),
      }),
    );
  });
};

/** An origin of node:http. */
export const startHttpOrigin = (handler: http.RequestListener): Promise<TestOrigin> =>
  origin(http.createServer(handler));

/** An origin that writes raw bytes; called once a request head has come, with that head. */
export const startRawOrigin = (onHead: (socket: Socket, head: string) => void): Promise<TestOrigin> =>
  origin(
    net.createServer((socket) => {
      let seen = '';
      socket.on('data', (chunk) => {
        seen += chunk.toString('latin1');
        const end = seen.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = seen.slice(0, end);
        seen = seen.slice(end + 4);
        onHead(socket, head);
      });
    }),
  );

/** A client that sees the bytes. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  /** True once the other side is through, by an end or a reset. */
  closed = false;
  #wake: (() => void) | null = null;

  constructor(port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
      this.#wake?.();
    });
    const over = () => {
      this.closed = true;
      this.#wake?.();
    };
    this.socket.on('end', over);
    this.socket.on('close', over);
    this.socket.on('error', over);
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Waits until the condition holds; the test's own time limit is the last resort. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.text.slice(0, 500))}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async untilText(part: string): Promise<void> {
    await this.until(() => this.text.includes(part));
  }

  async untilClosed(): Promise<void> {
    while (!this.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Waits until a condition holds that nothing announces. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
