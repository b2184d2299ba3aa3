/** An exchange in memory: a client's side that records what it is told, and bodies and transports that tests drive by hand. */
import { Duplex, PassThrough } from 'node:stream';
import type { Clock } from '../../src/kernel/clock.ts';
import type { GatewayError } from '../../src/kernel/errors.ts';
import { compileChain } from '../../src/pipeline/chain.ts';
import { LiveExchange } from '../../src/pipeline/exchange.ts';
import type { ClientInfo } from '../../src/plugin.ts';
import type { Body, Sink } from '../../src/wire/body.ts';
import type { Downstream } from '../../src/wire/downstream.ts';
import { createFields, type Fields } from '../../src/wire/fields.ts';
import type { Peer, RequestHead, ResponseHead } from '../../src/wire/heads.ts';
import type { Call, Flight, Receiver, Transport } from '../../src/wire/transport.ts';
import type { Tunnel, TunnelReceiver } from '../../src/wire/tunnel.ts';
import { createManualClock } from './clock.ts';

const NO_CHAIN = compileChain([]);

/** Fields without a prototype. */
export const fieldsOf = (values: Readonly<Record<string, string | string[]>> = {}): Fields =>
  Object.assign(createFields(), values);

/** A body that a test writes by hand. */
export class HandBody implements Body {
  readonly length: number | null;
  sink: Sink | null = null;
  cancelled: GatewayError | null = null;

  constructor(length: number | null = null) {
    this.length = length;
  }

  read(into: Sink): void {
    this.sink = into;
  }

  cancel(why: GatewayError): void {
    this.cancelled ??= why;
  }

  /** Writes to the reader; true when it takes more. */
  write(text: string): boolean {
    return this.sink!.write(Buffer.from(text));
  }
}

/** A sink that keeps what it gets. */
export class RecordSink implements Sink {
  ready: (() => void) | null = null;
  text = '';
  /** What `write` gives. */
  takesMore = true;
  trailers: Fields | null = null;
  ended = 0;
  failures: GatewayError[] = [];

  write(chunk: Uint8Array): boolean {
    this.text += Buffer.from(chunk).toString();
    return this.takesMore;
  }

  end(trailers: Fields | null): void {
    this.ended++;
    this.trailers = trailers;
  }

  fail(error: GatewayError): void {
    this.failures.push(error);
  }
}

export class RecordDownstream implements Downstream {
  readonly head: RequestHead;
  readonly version = '1.1';
  readonly peer: Peer;
  readonly body: Body | null;
  readonly upgrade: boolean;
  traceId = '';
  closed: Downstream['closed'] = null;
  left: Downstream['left'] = null;
  readonly sink = new RecordSink();
  readonly informs: { status: number; fields: Fields }[] = [];
  answer: ResponseHead | null = null;
  answerLength: number | null | undefined = undefined;
  accepted: ResponseHead | null = null;
  client: Duplex | null = null;

  constructor(head: RequestHead, o: { peer: Peer; body: Body | null; upgrade: boolean }) {
    this.head = head;
    this.peer = o.peer;
    this.body = o.body;
    this.upgrade = o.upgrade;
  }

  inform(status: number, fields: Fields): void {
    this.informs.push({ status, fields });
  }

  reply(head: ResponseHead, length: number | null): Sink {
    if (this.answer !== null) throw new Error('answered twice');
    this.answer = head;
    this.answerLength = length;
    return this.sink;
  }

  accept(head: ResponseHead): Duplex {
    this.accepted = head;
    this.client = Duplex.from(new PassThrough());
    return this.client;
  }

  abort(): void {
    this.sink.failures.push(undefined as never);
  }
}

export interface ExchangeOptions {
  readonly method?: string;
  readonly authority?: string;
  readonly scheme?: 'http' | 'https';
  readonly fields?: Readonly<Record<string, string | string[]>>;
  readonly body?: Body | null;
  readonly upgrade?: boolean;
  readonly peer?: string;
  readonly client?: Partial<ClientInfo>;
  readonly clock?: Clock;
}

/** An exchange whose client is `x.down`, a RecordDownstream. */
export function createExchange(o: ExchangeOptions = {}): { x: LiveExchange; down: RecordDownstream } {
  const head: RequestHead = {
    method: o.method ?? 'GET',
    scheme: o.scheme ?? 'http',
    authority: o.authority ?? 'shop.example',
    path: '/orders/1',
    query: '?v=2',
    fields: fieldsOf(o.fields),
  };
  const address = o.peer ?? '192.0.2.7';
  const peer = { address, port: 4000, localAddress: '192.0.2.1', localPort: 8080, secure: false };
  const down = new RecordDownstream(head, { peer, body: o.body ?? null, upgrade: o.upgrade ?? false });
  const x = new LiveExchange({
    id: '7205759403792793600',
    down,
    client: { address, trusted: false, scheme: head.scheme, ...o.client },
    route: { name: 'orders', host: '', path: '/orders/**' },
    params: {},
    received: head,
    startMs: 0,
    startWallMs: 0,
    chain: NO_CHAIN,
    slotCount: 0,
    clock: o.clock ?? createManualClock(),
  });
  return { x, down };
}

/** An upstream that does what the test says: it keeps the call and its receiver. */
export class HandTransport implements Transport, Tunnel {
  call: Call | null = null;
  to: Receiver | null = null;
  tunnel: TunnelReceiver | null = null;
  cancelled: GatewayError[] = [];

  send(call: Call, to: Receiver): Flight {
    this.call = call;
    this.to = to;
    return this.#flight(call);
  }

  connect(call: Call, to: TunnelReceiver): Flight {
    this.call = call;
    this.tunnel = to;
    return this.#flight(call);
  }

  #flight(call: Call): Flight {
    call.observer?.attempt(call.head, { upstream: 'orders', endpoint: '10.0.0.1:8080' });
    return { cancel: (why) => void this.cancelled.push(why) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
