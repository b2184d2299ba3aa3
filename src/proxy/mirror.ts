/** Copies some of a route's requests to a second upstream, whose answers nobody waits for. */
import type { Clock } from '../kernel/clock.ts';
import { type GatewayCode, type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import { replayBody } from '../pipeline/bodies.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Body, Sink } from '../wire/body.ts';
import { copyHead, type RequestHead, type ResponseHead } from '../wire/heads.ts';
import type { CallObserver, Flight, Receiver, Timeouts, Transport } from '../wire/transport.ts';
import { endpointHost } from './request-head.ts';
import { type BodyCopy, MOST_COPIED_BYTES } from './tee-body.ts';

/** On every copy; what a client claims of it is dropped with its X-Forwarded fields. */
export const MIRROR_FIELD = 'x-snowgate-mirror';
/** Copies that a route may have under way; the next ones are left out. */
const MOST_IN_FLIGHT = 100;
/** Of an answer; reading on would be no test of anything. */
const MOST_READ_BYTES = 1024 ** 2;

/**
 * How a copy ended: with an answer, without; its body was too large to keep or never came whole; there were too many.
 */
export type MirrorResult = 'answered' | 'failed' | 'too_large' | 'incomplete' | 'too_many';

export interface MirrorOptions {
  /** Sends once, without another try. */
  readonly call: Transport;
  /** Part of the requests, 0 to 1. */
  readonly percent: number;
  readonly timeouts: Timeouts;
  /** For the whole of a copy, its answer included. */
  readonly timeoutMs: number;
  /** `keep`, `upstream`, or the name to send. */
  readonly hostHeader: string;
  /** For balancers that hash; null gives 0. */
  readonly hash: ((x: LiveExchange) => number) | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: Wheel;
  readonly ended: (result: MirrorResult) => void;
  /** Told of each copy that an endpoint had. */
  readonly attempted: (endpoint: string, status: number, code: GatewayCode | '-') => void;
}

/** One copy: collects the body, is sent, and reads the answer away. */
export class Copy implements BodyCopy, Receiver, CallObserver, Sink {
  ready: (() => void) | null = null;
  readonly changesHead = false;
  readonly #mirror: Mirror;
  readonly #head: RequestHead;
  readonly #hash: number;
  readonly #alarm = new Alarm(() => this.#late());
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #endpoint = '';
  #flight: Flight | null = null;
  #readBytes = 0;
  #answer: Body | null = null;
  #sent = false;
  #over = false;

  constructor(mirror: Mirror, head: RequestHead, hash: number) {
    this.#mirror = mirror;
    this.#head = head;
    this.#hash = hash;
  }

  // What flows past

  add(chunk: Uint8Array): void {
    if (this.#over) return;
    this.#sizeBytes += chunk.byteLength;
    if (this.#sizeBytes > MOST_COPIED_BYTES) this.#end('too_large');
    // The source may use its buffer again.
    else this.#chunks.push(Buffer.from(chunk));
  }

  complete(): void {
    this.send(this.#sizeBytes === 0 ? null : replayBody(Buffer.concat(this.#chunks)));
  }

  /** The original is over: what has not come whole by now never will. */
  drop(): void {
    if (!this.#sent) this.#end('incomplete');
  }

  send(body: Body | null): void {
    if (this.#over || this.#sent) return;
    this.#sent = true;
    this.#chunks = [];
    const { call, clock, wheel, timeouts, timeoutMs } = this.#mirror.options;
    wheel.arm(this.#alarm, timeoutMs);
    const flight = call.send(
      {
        head: this.#head,
        body,
        deadlineMs: clock.nowMs() + timeoutMs,
        timeouts,
        hash: this.#hash,
        stick: null,
        observer: this,
      },
      this,
    );
    if (!this.#over) this.#flight = flight;
  }

  // Observer

  attempt(head: RequestHead, to: { readonly endpoint: string }): void {
    this.#endpoint = to.endpoint;
    if (this.#mirror.options.hostHeader === 'upstream') head.authority = endpointHost(to.endpoint);
  }

  attempted(status: number, error: GatewayError | null): void {
    this.#mirror.options.attempted(this.#endpoint, status, error === null ? '-' : error.code);
  }

  // Receiver

  inform(): void {
    // Nobody is there to be informed.
  }

  head(_head: ResponseHead, body: Body): void {
    this.#answer = body;
    body.read(this);
  }

  fail(): void {
    this.#end('failed');
  }

  // Sink: the answer, read away so that its connection can be used again

  write(chunk: Uint8Array): boolean {
    this.#readBytes += chunk.byteLength;
    if (this.#readBytes <= MOST_READ_BYTES) return true;
    this.#answer!.cancel(gatewayError('GW_UPSTREAM_RESET', 'enough of a mirrored answer'));
    this.#end('answered');
    return false;
  }

  end(): void {
    this.#end('answered');
  }

  #late(): void {
    if (this.#over) return;
    this.#flight?.cancel(gatewayError('GW_TIMEOUT', 'a mirrored request'));
    this.#end(this.#answer === null ? 'failed' : 'answered');
  }

  #end(result: MirrorResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#chunks = [];
    this.#mirror.options.wheel.disarm(this.#alarm);
    this.#mirror.left(result);
  }
}

/** The mirror of one route. */
export class Mirror {
  readonly options: MirrorOptions;
  #inFlight = 0;

  constructor(options: MirrorOptions) {
    this.options = options;
  }

  /** The copy of a request that is drawn; null where there is none. Nothing is sent yet. */
  copy(x: LiveExchange, body: Body | null): Copy | null {
    const { percent, random, hash, hostHeader } = this.options;
    if (random.next() >= percent) return null;
    if (this.#inFlight >= MOST_IN_FLIGHT) return this.#leftOut('too_many');
    if (body !== null && body.length !== null && body.length > MOST_COPIED_BYTES)
      return this.#leftOut('too_large');
    this.#inFlight++;
    const head = copyHead(x.request);
    head.fields[MIRROR_FIELD] = '1';
    if (hostHeader !== 'keep' && hostHeader !== 'upstream') head.authority = hostHeader;
    return new Copy(this, head, hash === null ? 0 : hash(x));
  }

  /** @internal */
  left(result: MirrorResult): void {
    this.#inFlight--;
    this.options.ended(result);
  }

  #leftOut(result: MirrorResult): null {
    this.options.ended(result);
    return null;
  }
}
