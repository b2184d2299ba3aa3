/** One endpoint of an upstream as balancers see it: live numbers, read at each pick. */
import { type EndpointSpec, endpointName } from '../wire/endpoint.ts';
import type { Transport } from '../wire/transport.ts';
import type { Tunnel } from '../wire/tunnel.ts';

/** Connections to one endpoint: one attempt each `send`. */
export type EndpointTransport = Transport &
  Tunnel & {
    /** Calls that hold or wait for a connection. */
    readonly inFlight: number;
    readonly connections: number;
  };

export class Slot {
  spec: EndpointSpec;
  /** `host:port`: how logs and metrics name it. */
  readonly name: string;
  /** Name of the upstream that it belongs to. */
  readonly upstream: string;
  readonly transport: EndpointTransport;
  /** Share of the traffic now; 0 takes no new calls. */
  weight: number;
  /** False while something has found it broken; such an endpoint is used only when none is left. */
  available: boolean;
  /** True while it may take no more calls at once. */
  full: boolean;
  /** Calls from their start to the end of their answer. */
  inFlight: number;

  constructor(upstream: string, spec: EndpointSpec, transport: EndpointTransport) {
    this.spec = spec;
    this.name = endpointName(spec);
    this.upstream = upstream;
    this.transport = transport;
    this.weight = spec.weight;
    this.available = true;
    this.full = false;
    this.inFlight = 0;
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

/** True when the slot may take a call now. */
export function isUsable(slot: Slot, tried: readonly Slot[] | null): boolean {
  return slot.weight > 0 && slot.available && !slot.full && (tried === null || !tried.includes(slot));
}
