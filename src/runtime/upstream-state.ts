/** The state of upstreams at this moment, for people and for the metrics. */
import type { Metrics } from '../telemetry/metrics.ts';
import type { Snapshot } from './snapshot.ts';

export interface EndpointState {
  readonly endpoint: string;
  readonly weight: number;
  readonly available: boolean;
  /** Calls from their start to the end of their answer. */
  readonly inFlight: number;
  readonly connections: number;
}

export interface UpstreamState {
  readonly name: string;
  readonly balance: string;
  readonly endpoints: readonly EndpointState[];
}

/** All upstreams with their endpoints. */
export function describeUpstreams(snapshot: Snapshot): UpstreamState[] {
  return [...snapshot.upstreams].map(([name, { upstream }]) => ({
    name,
    balance: upstream.options.balance.method,
    endpoints: upstream.slots.map(({ name: endpoint, weight, available, inFlight, transport }) => ({
      endpoint,
      weight,
      available,
      inFlight,
      connections: transport.connections,
    })),
  }));
}

/** Writes the state into the gauges, and forgets endpoints that are gone. */
export function measureUpstreams(snapshot: Snapshot, metrics: Metrics): void {
  for (const { name, endpoints } of describeUpstreams(snapshot)) {
    const meter = metrics.upstream(name);
    meter.retain(new Set(endpoints.map((each) => each.endpoint)));
    const { budget } = snapshot.upstreams.get(name)!.upstream;
    meter.retries = budget.retries;
    meter.retriesRefused = budget.refused;
    for (const each of endpoints) {
      const gauge = meter.endpoint(each.endpoint);
      gauge.inFlight = each.inFlight;
      gauge.connections = each.connections;
      gauge.healthy = each.available;
    }
  }
}
