/** The state of upstreams at this moment, for people and for the metrics. */
import type { DiscoveryMeter } from '../telemetry/meters.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BreakerPhase, BreakerState } from '../upstream/breaker.ts';
import type { HealthState } from '../upstream/health.ts';
import type { Absence, Slot } from '../upstream/slot.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Followed } from './registries.ts';
import type { Snapshot } from './snapshot.ts';

/** In the order of their numbers in the metrics. */
const PHASES: readonly BreakerPhase[] = ['closed', 'half-open', 'open'];

export interface EndpointState {
  readonly endpoint: string;
  /** Share of the traffic now: the static weight, less at a slow start, more or less as reported load allows. */
  readonly weight: number;
  readonly zone: string | null;
  readonly available: boolean;
  /** Why it is passed over: `refused`, `ejected`, `unhealthy`; empty while it is available. */
  readonly out: readonly Absence[];
  /** Its active checks so far; null where nobody asks. */
  readonly health: HealthState | null;
  /** How often it was ejected as an outlier. */
  readonly ejections: number;
  /** Calls from their start to the end of their answer. */
  readonly inFlight: number;
  /** Those of them that are streams: they take no place of a request. */
  readonly streams: number;
  readonly connections: number;
}

export interface UpstreamState {
  readonly name: string;
  readonly balance: string;
  /** True while so few are available that checks and ejections are not believed. */
  readonly panic: boolean;
  /** Null while it is switched off. */
  readonly breaker: BreakerState | null;
  /** How many requests may be in flight at all endpoints; null where there is no such limit. */
  readonly limit: number | null;
  /** Calls that wait for a place. */
  readonly waiting: number;
  readonly endpoints: readonly EndpointState[];
}

const healthOf = (upstream: Upstream, slot: Slot): HealthState | null => {
  const state = upstream.health?.of(slot) ?? null;
  if (state === null) return null;
  const { status, problem, passed, failed } = state;
  return { status, problem, passed, failed };
};

/** All upstreams with their endpoints. */
export function describeUpstreams(snapshot: Snapshot): UpstreamState[] {
  return [...snapshot.upstreams].map(([name, { upstream }]) => ({
    name,
    balance: upstream.options.balance.method,
    panic: upstream.panicking,
    breaker: upstream.breaker?.describe() ?? null,
    limit: Number.isFinite(upstream.places.limit) ? upstream.places.limit : null,
    waiting: upstream.places.waiting,
    endpoints: upstream.slots.map((slot) => ({
      endpoint: slot.name,
      weight: Number(slot.weight.toFixed(3)),
      zone: slot.spec.zone ?? null,
      available: slot.available,
      out: slot.absences,
      health: healthOf(upstream, slot),
      ejections: slot.record.ejections,
      inFlight: slot.inFlight,
      streams: slot.streams,
      connections: slot.transport.connections,
    })),
  }));
}

const measureDiscovery = (upstream: string, followed: Followed | null): DiscoveryMeter | null => {
  if (followed === null) return null;
  const { ageMs, failures, doubted, endpoints } = followed.membership.state();
  return {
    labels: { upstream, registry: followed.discover.registry },
    ageMs,
    failures,
    doubted: doubted !== null,
    endpoints: endpoints.length,
  };
};

/** Writes the state into the gauges, and forgets endpoints that are gone. */
export function measureUpstreams(snapshot: Snapshot, metrics: Metrics): void {
  for (const { name, panic, breaker, limit, waiting, endpoints } of describeUpstreams(snapshot)) {
    const meter = metrics.upstream(name);
    meter.retain(new Set(endpoints.map((each) => each.endpoint)));
    const live = snapshot.upstreams.get(name)!;
    meter.discovery = measureDiscovery(name, live.followed);
    const { budget, hedges } = live.upstream;
    meter.hedges = hedges.sent;
    meter.hedgesWon = hedges.won;
    meter.retries = budget.retries;
    meter.retriesRefused = budget.refused;
    meter.waiting = waiting;
    meter.limit = limit ?? -1;
    meter.panic = panic;
    meter.breaker = breaker === null ? -1 : PHASES.indexOf(breaker.phase);
    meter.breakerOpened = breaker?.opened ?? 0;
    for (const each of endpoints) {
      const gauge = meter.endpoint(each.endpoint);
      gauge.inFlight = each.inFlight;
      gauge.streams = each.streams;
      gauge.connections = each.connections;
      gauge.healthy = each.available;
      gauge.weight = each.weight;
      gauge.ejections = each.ejections;
      gauge.checksPassed = each.health?.passed ?? -1;
      gauge.checksFailed = each.health?.failed ?? -1;
    }
  }
}
