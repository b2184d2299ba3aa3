/** One live exchange: a request, its answer so far, and all that plugins and the log may know of it. */
import type { Clock } from '../kernel/clock.ts';
import { type GatewayCode, type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { AttemptInfo, ClientInfo, Exchange, Principal, RouteInfo } from '../plugin.ts';
import type { Body, Stage } from '../wire/body.ts';
import { DEGRADED, type Degraded } from '../wire/degraded.ts';
import type { Downstream } from '../wire/downstream.ts';
import { copyHead, type RequestHead } from '../wire/heads.ts';
import { collectBody, replayBody, stagedBody } from './bodies.ts';
import type { Chain } from './chain.ts';

export interface ExchangeInput {
  /** The trace ID, decimal. */
  readonly id: string;
  readonly down: Downstream;
  readonly client: ClientInfo;
  readonly route: RouteInfo;
  readonly params: Readonly<Record<string, string>>;
  /** The request as it came, with its canonical path. */
  readonly received: RequestHead;
  /** Monotonic, when the head was complete. */
  readonly startMs: number;
  readonly startWallMs: number;
  /** The hooks of the route; those of the route on an upstream once that is chosen. */
  readonly chain: Chain;
  /** Places in `slots`: the most that any chain of the route needs. */
  readonly slotCount: number;
  readonly clock: Clock;
}

/** An attempt as it is kept: open until its head or its failure. */
export class Attempt implements AttemptInfo {
  readonly upstream: string;
  readonly endpoint: string;
  readonly startMs: number;
  tookMs = -1;
  status = 0;
  code: GatewayCode | '-' = '-';

  constructor(upstream: string, endpoint: string, startMs: number) {
    this.upstream = upstream;
    this.endpoint = endpoint;
    this.startMs = startMs;
  }

  /** Closes it, once; `nowMs` counts from the start of the exchange. */
  settle(nowMs: number, status: number, code: GatewayCode | '-'): void {
    if (this.tookMs >= 0) return;
    this.tookMs = nowMs - this.startMs;
    this.status = status;
    this.code = code;
  }
}

const NO_ATTEMPTS: readonly AttemptInfo[] = Object.freeze([]);
const NO_SLOTS = Object.freeze([]) as unknown as unknown[];

/** What travels through the phases; the proxy reads more of it than plugins may. */
export class LiveExchange implements Exchange {
  readonly id: string;
  readonly down: Downstream;
  readonly client: ClientInfo;
  readonly route: RouteInfo;
  readonly params: Readonly<Record<string, string>>;
  readonly received: Readonly<RequestHead>;
  readonly request: RequestHead;
  /** Monotonic milliseconds of the request's start. */
  readonly startMs: number;
  readonly startWallMs: number;
  readonly clock: Clock;
  readonly slots: unknown[];
  /** Whose hooks see what happens from now on. */
  chain: Chain;
  principal: Principal | null;
  /** The `traceparent` that goes upstream, or null without tracing. */
  traceparent: string | null;
  /** Name of the chosen upstream, or ''. */
  upstream: string;
  /** Of the final answer; 0 before it. */
  status: number;
  /** The first failure; later ones are its echo. */
  error: GatewayError | null;
  /** True once the client has gone: nothing more runs for it. */
  left: boolean;
  /** True once its time was over while a hook before the upstream was awaited: it has its answer. */
  late: boolean;
  /** Monotonic, when the upstream's head came; -1 before. */
  headMs: number;
  /** Milliseconds spent waiting for the upstream; -1 when unknown. */
  upstreamMs: number;
  /** The least that plugins allow from the start to the response head; Infinity for no limit of theirs. */
  limitMs: number;
  /** Called when `limitMs` becomes less; null while nobody waits for it. */
  limited: (() => void) | null;
  /** What it had to do without, for the log: words with spaces between them, or ''. */
  degraded: string;
  /** How each part of an aggregate ended, for the log; '' elsewhere. */
  parts: string;
  requestStages: Stage[] | null;
  responseStages: Stage[] | null;
  #attempts: Attempt[] | null;
  #abort: AbortController | null;
  #aborted: boolean;
  #reading: Promise<Uint8Array> | null;
  #bytes: Uint8Array | null;

  constructor(o: ExchangeInput) {
    this.id = o.id;
    this.down = o.down;
    this.client = o.client;
    this.route = o.route;
    this.params = o.params;
    this.received = o.received;
    this.request = copyHead(o.received);
    this.startMs = o.startMs;
    this.startWallMs = o.startWallMs;
    this.clock = o.clock;
    this.slots = o.slotCount === 0 ? NO_SLOTS : new Array(o.slotCount).fill(undefined);
    this.chain = o.chain;
    this.principal = null;
    this.traceparent = null;
    this.upstream = '';
    this.status = 0;
    this.error = null;
    this.left = false;
    this.late = false;
    this.headMs = -1;
    this.upstreamMs = -1;
    this.limitMs = Number.POSITIVE_INFINITY;
    this.limited = null;
    this.degraded = '';
    this.parts = '';
    this.requestStages = null;
    this.responseStages = null;
    this.#attempts = null;
    this.#abort = null;
    this.#aborted = false;
    this.#reading = null;
    this.#bytes = null;
  }

  get attempts(): readonly AttemptInfo[] {
    return this.#attempts ?? NO_ATTEMPTS;
  }

  /** The attempt that the answer is of: the last one, unless that only ran beside another that was faster. */
  get lastAttempt(): AttemptInfo | undefined {
    const last = this.#attempts?.at(-1);
    if (last?.code !== 'GW_HEDGE_LOST') return last;
    return this.#attempts!.findLast(({ code }) => code !== 'GW_HEDGE_LOST');
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#aborted) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  /** Tells those who asked for `signal` that nobody waits for what they do. Idempotent. */
  abort(): void {
    this.#aborted = true;
    this.#abort?.abort();
  }

  limitTime(limitMs: number): void {
    if (limitMs < this.limitMs) {
      this.limitMs = limitMs;
      this.limited?.();
    }
  }

  get stopped(): boolean {
    return this.left || this.late;
  }

  degrade(how: Degraded): void {
    if (!Object.hasOwn(DEGRADED, how)) throw new TypeError(`"${how}" is no word for what a request lacks`);
    if (this.degraded === '') this.degraded = how;
    else if (!this.degraded.split(' ').includes(how)) this.degraded += ` ${how}`;
  }

  /** Keeps the first failure. */
  fail(error: GatewayError): void {
    this.error ??= error;
  }

  /** Gives what `settleAttempt` wants where several are open at a time. */
  addAttempt(upstream: string, endpoint: string): Attempt {
    this.upstream = upstream;
    const attempt = new Attempt(upstream, endpoint, this.clock.nowMs() - this.startMs);
    if (this.#attempts === null) this.#attempts = [attempt];
    else this.#attempts.push(attempt);
    return attempt;
  }

  /** Closes an attempt, the last one unless another is given; does nothing where it is closed already. */
  settleAttempt(status: number, code: GatewayCode | '-', attempt = this.#attempts?.at(-1)): void {
    attempt?.settle(this.clock.nowMs() - this.startMs, status, code);
  }

  /**
   * Reads the whole request body, once for all who ask; it can still be forwarded afterwards.
   * @throws GatewayError GW_BODY_TOO_LARGE past `limitBytes`, or what broke the body
   */
  async readRequest(limitBytes: number): Promise<Uint8Array> {
    this.#reading ??= this.#collect(limitBytes);
    const bytes = await this.#reading;
    // Another reader may have asked with a larger limit before.
    if (bytes.byteLength > limitBytes) {
      throw gatewayError('GW_BODY_TOO_LARGE', `more than ${limitBytes} bytes`);
    }
    return bytes;
  }

  async #collect(limitBytes: number): Promise<Uint8Array> {
    const body = this.down.body;
    this.#bytes = body === null ? new Uint8Array(0) : await collectBody(body, limitBytes);
    return this.#bytes;
  }

  mapRequest(stage: Stage): void {
    if (this.requestStages === null) this.requestStages = [stage];
    else this.requestStages.push(stage);
    delete this.request.fields['content-length'];
  }

  mapResponse(stage: Stage): void {
    if (this.responseStages === null) this.responseStages = [stage];
    else this.responseStages.push(stage);
  }

  /** The request body as it goes upstream: what `readRequest` kept or what still flows, through the stages. */
  takeBody(): Body | null {
    const body = this.down.body;
    if (body === null) return null;
    const source = this.#bytes === null ? body : replayBody(this.#bytes);
    return this.requestStages === null ? source : stagedBody(source, this.requestStages);
  }
}
