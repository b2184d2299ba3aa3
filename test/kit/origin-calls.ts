/** Calls a transport as the gateway does, and writes down what the receiver hears. */
import { type GatewayError, gatewayError } from '../../src/kernel/errors.ts';
import type { Body, Sink } from '../../src/wire/body.ts';
import { createFields, type Fields } from '../../src/wire/fields.ts';
import type { RequestHead, ResponseHead } from '../../src/wire/heads.ts';
import type { Call, Flight, Receiver, Timeouts, Transport } from '../../src/wire/transport.ts';

export const fieldsOf = (entries: Record<string, string | string[]>): Fields =>
  Object.assign(createFields(), entries);

export const NO_TIMEOUTS: Timeouts = { connectMs: 0, firstByteMs: 0, idleMs: 0 };

export interface CallOptions extends Partial<Omit<RequestHead, 'fields'>> {
  fields?: Record<string, string | string[]>;
  body?: Body | null;
  deadlineMs?: number;
  timeouts?: Partial<Timeouts>;
}

export const callOf = (options: CallOptions = {}): Call => ({
  head: {
    method: options.method ?? 'GET',
    scheme: 'http',
    authority: options.authority ?? 'shop.example',
    path: options.path ?? '/',
    query: options.query ?? '',
    fields: fieldsOf(options.fields ?? {}),
  },
  body: options.body ?? null,
  deadlineMs: options.deadlineMs ?? Number.POSITIVE_INFINITY,
  timeouts: { ...NO_TIMEOUTS, ...options.timeouts },
  hash: 0,
  observer: null,
});

/** Everything that a receiver heard, and promises for what it will hear. */
export class Heard implements Receiver, Sink {
  ready: (() => void) | null = null;
  readonly informed: number[] = [];
  readonly chunks: Buffer[] = [];
  response: ResponseHead | null = null;
  body: Body | null = null;
  trailers: Fields | null = null;
  error: GatewayError | null = null;
  bodyError: GatewayError | null = null;
  /** How often an ending was heard: must be 1 in the end. */
  endings = 0;
  /** What `write` answers. */
  takes = true;
  readonly headed: Promise<void>;
  readonly done: Promise<this>;
  private readonly autoRead: boolean;
  private readonly onHeaded: () => void;
  private readonly onDone: (self: this) => void;

  constructor(autoRead = true) {
    this.autoRead = autoRead;
    const headed = Promise.withResolvers<void>();
    const done = Promise.withResolvers<this>();
    this.headed = headed.promise;
    this.done = done.promise;
    this.onHeaded = headed.resolve;
    this.onDone = done.resolve;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get status(): number {
    return this.response?.status ?? 0;
  }

  /** The code of whatever went wrong, or null. */
  get code(): string | null {
    return this.error?.code ?? this.bodyError?.code ?? null;
  }

  inform(status: number): void {
    this.informed.push(status);
  }

  head(response: ResponseHead, body: Body): void {
    this.response = response;
    this.body = body;
    this.onHeaded();
    if (this.autoRead) body.read(this);
  }

  fail(error: GatewayError): void {
    if (this.response === null) this.error = error;
    else this.bodyError = error;
    this.over();
  }

  write(chunk: Uint8Array): boolean {
    this.chunks.push(Buffer.from(chunk));
    return this.takes;
  }

  end(trailers: Fields | null): void {
    this.trailers = trailers;
    this.over();
  }

  private over(): void {
    this.endings++;
    this.onDone(this);
  }
}

/** Sends a call and waits for its end. */
export const ask = (transport: Transport, options: CallOptions = {}): Promise<Heard> => {
  const heard = new Heard();
  transport.send(callOf(options), heard);
  return heard.done;
};

/** Sends a call and gives what is needed to steer it. */
export const begin = (transport: Transport, options: CallOptions = {}, autoRead = true) => {
  const heard = new Heard(autoRead);
  const flight: Flight = transport.send(callOf(options), heard);
  return { heard, flight };
};

/** A request body that a test writes by hand. */
export class HandBody implements Body {
  readonly length: number | null;
  cancelled: GatewayError | null = null;
  private readonly reading = Promise.withResolvers<Sink>();

  constructor(length: number | null = null) {
    this.length = length;
  }

  /** The sink, once the transport reads. */
  get sink(): Promise<Sink> {
    return this.reading.promise;
  }

  read(into: Sink): void {
    this.reading.resolve(into);
  }

  cancel(why: GatewayError): void {
    this.cancelled = why;
  }
}

/** A body of one chunk, given at once. */
export const textBody = (text: string, length: number | null = Buffer.byteLength(text)): Body => ({
  length,
  read(into) {
    into.write(Buffer.from(text));
    into.end(null);
  },
  cancel() {
    // Given at once.
  },
});

export const leftError = gatewayError('GW_CLIENT_LEFT', 'in a test');

/** Waits until a condition holds. */
export const until = async (holds: () => boolean, what = 'the condition'): Promise<void> => {
  const endMs = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
