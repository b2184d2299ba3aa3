/** One call of an aggregate as the plugins of its upstream see it: the exchange, with a request and an answer of its own. */
import { gatewayError } from '../kernel/errors.ts';
import type { AttemptInfo, ClientInfo, Degraded, Principal, RouteInfo } from '../plugin.ts';
import type { Stage } from '../wire/body.ts';
import type { RequestHead } from '../wire/heads.ts';
import type { LiveExchange } from './exchange.ts';
import type { RunningExchange } from './run.ts';

export interface PartExchangeInput {
  /** The head of the call; hooks change it. */
  readonly request: RequestHead;
  /** Empty where the call has no body. */
  readonly body: Uint8Array;
  readonly upstream: string;
  readonly slotCount: number;
}

/** Several of these stand beside each other on one exchange, so nothing that belongs to one call is kept there. */
export class PartExchange implements RunningExchange {
  readonly request: RequestHead;
  readonly upstream: string;
  readonly slots: unknown[];
  /** Of this call alone. */
  readonly attempts: AttemptInfo[] = [];
  requestStages: Stage[] | null = null;
  responseStages: Stage[] | null = null;
  /** Milliseconds from the start of the exchange that hooks leave for the head. */
  limitMs = Number.POSITIVE_INFINITY;
  /** Nobody waits for the call any more. */
  ended = false;
  readonly #x: LiveExchange;
  readonly #body: Uint8Array;

  constructor(x: LiveExchange, { request, body, upstream, slotCount }: PartExchangeInput) {
    this.#x = x;
    this.request = request;
    this.#body = body;
    this.upstream = upstream;
    this.slots = new Array(slotCount).fill(undefined);
  }

  get id(): string {
    return this.#x.id;
  }

  get route(): RouteInfo {
    return this.#x.route;
  }

  get client(): ClientInfo {
    return this.#x.client;
  }

  get params(): Readonly<Record<string, string>> {
    return this.#x.params;
  }

  get received(): Readonly<RequestHead> {
    return this.#x.received;
  }

  get principal(): Principal | null {
    return this.#x.principal;
  }

  set principal(principal: Principal | null) {
    this.#x.principal = principal;
  }

  get signal(): AbortSignal {
    return this.#x.signal;
  }

  get stopped(): boolean {
    return this.left;
  }

  get left(): boolean {
    return this.ended || this.#x.left;
  }

  /** Monotonic time by which hooks want the head of the call; Infinity for none. */
  get deadlineMs(): number {
    return this.#x.startMs + this.limitMs;
  }

  limitTime(limitMs: number): void {
    if (limitMs < this.limitMs) this.limitMs = limitMs;
  }

  degrade(how: Degraded): void {
    this.#x.degrade(how);
  }

  /** What is sent with the call, not what the client sent. */
  async readRequest(limitBytes: number): Promise<Uint8Array> {
    if (this.#body.byteLength > limitBytes)
      throw gatewayError('GW_BODY_TOO_LARGE', `more than ${limitBytes} bytes`);
    return this.#body;
  }

  mapRequest(stage: Stage): void {
    this.requestStages = [...(this.requestStages ?? []), stage];
  }

  mapResponse(stage: Stage): void {
    this.responseStages = [...(this.responseStages ?? []), stage];
  }
}
