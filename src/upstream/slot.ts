/** One endpoint of an upstream as balancers see it: live numbers, read at each pick. */

import { type EndpointSpec, endpointName } from '../wire/endpoint.ts';
import type { ResponseHead } from '../wire/heads.ts';
import type { Transport } from '../wire/transport.ts';
import type { Tunnel } from '../wire/tunnel.ts';
import { AttemptRecord } from './attempt-record.ts';

/** Connections to one endpoint: one attempt each `send`. */
export type EndpointTransport = Transport &
  Tunnel & {
    /** Calls that hold or wait for a connection. */
    readonly inFlight: number;
    readonly connections: number;
  };

/**
 * Why a slot is passed over: it refused a connection, it does worse than the others, or its checks fail. Each has
 * one owner, who sets it and takes it back.
 */
export type Absence = 'refused' | 'ejected' | 'unhealthy';

const ABSENCES: readonly Absence[] = ['refused', 'ejected', 'unhealthy'];

/** Told how the attempts at one endpoint went. */
export interface Feedback {
  /** @param tookMs from the end of the request, body included, to the head of the answer */
  answered(tookMs: number, head: ResponseHead): void;
  /** It failed before its head. */
  failed(tookMs: number): void;
  /** Nobody waits for its head any longer. */
  abandoned(tookMs: number): void;
}

/** One for all slots of an upstream: while it is on, most seem broken, and that is believed of none. */
export interface Panic {
  on: boolean;
}

const CALM: Panic = Object.freeze({ on: false });

export class Slot {
  spec: EndpointSpec;
  /** `host:port`: how logs and metrics name it. */
  readonly name: string;
  /** Name of the upstream that it belongs to. */
  readonly upstream: string;
  readonly transport: EndpointTransport;
  /** Share of the traffic now; 0 takes no new calls. */
  weight: number;
  /** By what the load that the endpoint reports multiplies its static weight. */
  lift: number;
  /** False while there is a reason to pass it over; such an endpoint is used only when none is left. */
  available: boolean;
  /** True while it may take no more calls at once. */
  full: boolean;
  /** Calls from their start to the end of their answer, streams included. */
  inFlight: number;
  /** Those of them that are streams: upgrades, event streams and gRPC once their head has come. */
  streams = 0;
  readonly record = new AttemptRecord();
  /** Null while the balancer does not care. */
  feedback: Feedback | null;
  panic: Panic;
  #maxRequests = Number.POSITIVE_INFINITY;
  #maxStreams = Number.POSITIVE_INFINITY;
  /** One bit for each absence that stands. */
  #absences = 0;

  constructor(upstream: string, spec: EndpointSpec, transport: EndpointTransport) {
    this.spec = spec;
    this.name = endpointName(spec);
    this.upstream = upstream;
    this.transport = transport;
    this.weight = spec.weight;
    this.lift = 1;
    this.available = true;
    this.full = false;
    this.inFlight = 0;
    this.feedback = null;
    this.panic = CALM;
  }

  /** @param maxRequests of those that are no streams; a stream past `maxStreams` counts as a request */
  limit(maxRequests: number, maxStreams: number): void {
    this.#maxRequests = maxRequests;
    this.#maxStreams = maxStreams;
    this.#fill();
  }

  /** A call begins. */
  take(): void {
    this.inFlight++;
    this.#fill();
  }

  /** A call ends. */
  free(isStream: boolean): void {
    this.inFlight--;
    if (isStream) this.streams--;
    this.#fill();
  }

  /** A call becomes a stream; false where there are too many of them already. */
  stream(): boolean {
    if (this.streams >= this.#maxStreams) return false;
    this.streams++;
    this.#fill();
    return true;
  }

  #fill(): void {
    this.full = this.inFlight - this.streams >= this.#maxRequests;
  }

  /** Sets a reason to pass it over, or takes it back; the other reasons stand as they are. */
  keepOut(why: Absence, out: boolean): void {
    const bit = 1 << ABSENCES.indexOf(why);
    this.#absences = out ? this.#absences | bit : this.#absences & ~bit;
    this.available = this.#absences === 0;
  }

  isOut(why: Absence): boolean {
    return (this.#absences & (1 << ABSENCES.indexOf(why))) !== 0;
  }

  /** All reasons that stand. */
  get absences(): Absence[] {
    return ABSENCES.filter((why) => this.isOut(why));
  }

  /** Another balancer begins: what the one before knew of the slot is nothing to it. */
  forgetFeedback(): void {
    this.feedback = null;
    this.lift = 1;
  }

  /** What an observer is told of where an attempt goes is the slot itself. */
  get endpoint(): string {
    return this.name;
  }
}

/** What says that two specs mean one endpoint: all but the weight. */
export function slotKey(spec: EndpointSpec): string {
  return `${spec.scheme}://${endpointName(spec)}`;
}

/** In panic, checks and bad answers are not believed; that nobody listens on a port is no matter of belief. */
const maySend = (slot: Slot) => slot.available || (slot.panic.on && !slot.isOut('refused'));

/** True when the slot may take a call now. */
export function isUsable(slot: Slot, tried: readonly Slot[] | null): boolean {
  return slot.weight > 0 && !slot.full && maySend(slot) && (tried === null || !tried.includes(slot));
}
