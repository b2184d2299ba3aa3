/** All metrics of one gateway: meters for the request path, and the text that Prometheus scrapes. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Clock } from '../kernel/clock.ts';
import type { PluginCounter } from '../plugin.ts';
import { type Emit, registerFamily } from './collected.ts';
import { FAMILIES, type FamilyKey } from './families.ts';
import {
  type DiscoveryMeter,
  EndpointMeter,
  type Labels,
  ListenerMeter,
  RouteMeter,
  UpstreamMeter,
} from './meters.ts';
import { type CounterSpec, createPluginCounters } from './plugin-counters.ts';

export type { CounterSpec };
export { EndpointMeter, ListenerMeter, RouteMeter, UpstreamMeter };

export interface MetricsOptions {
  readonly clock: Clock;
  /** Of Snowgate. */
  readonly version: string;
  /** Also `process_*` and `nodejs_*`; default true. */
  readonly process?: boolean;
}

/** What is still there after a change of configuration. */
export interface Retained {
  readonly routes: ReadonlySet<string>;
  readonly upstreams: ReadonlySet<string>;
  readonly listeners?: ReadonlySet<string>;
  /** Names of plugin instances. */
  readonly instances?: ReadonlySet<string>;
}

export interface RedisState {
  readonly up: boolean;
  readonly nodes: number;
}

export interface Metrics {
  /** The meters of a name, the same one each time: ask once and keep it. */
  route(name: string): RouteMeter;
  upstream(name: string): UpstreamMeter;
  listener(name: string): ListenerMeter;
  /** `snowgate_plugin_<name>_total` of one instance; throws Error when its declaration is not possible. */
  pluginCounter(instance: string, spec: CounterSpec): PluginCounter;
  /** A configuration was loaded; `hash` is of the one that now runs, and null when it was refused. */
  reloaded(hash: string | null): void;
  /** The configuration of the start; counts as no reload. */
  started(hash: string): void;
  /** The worker number in trace IDs and where it came from. */
  traceWorker(worker: number, source: string): void;
  /** How much is refused to keep up, 0 to 2. */
  shedding(level: number): void;
  /** How Redis is, or null without any. */
  redis(state: RedisState | null): void;
  logDropped(lines: number): void;
  /** How many plugin files have been loaded since the start. */
  pluginModules(count: number): void;
  /** Deletes the series of what is gone. */
  retain(what: Retained): void;
  /** The scrape, in Prometheus' text format. Those who ask at the same time share one. */
  render(): Promise<string>;
  /** Media type of what `render` gives. */
  readonly contentType: string;
}

/** Default metrics of prom-client that promtool rightly calls misnamed: gauges ending in `_total`. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Every 20 ms is precise enough to see a stall and leaves an idle gateway asleep twice as long. */
const LOOP_PRECISION_MS = 20;

const getOrMake = <T>(map: Map<string, T>, name: string, make: (name: string) => T): T => {
  let value = map.get(name);
  if (value === undefined) {
    value = make(name);
    map.set(name, value);
  }
  return value;
};

const keepOnly = (map: Map<string, unknown>, names: ReadonlySet<string>) => {
  for (const name of map.keys()) if (!names.has(name)) map.delete(name);
};

/** Family by family with requests let through in between: ten thousand series at once would stall them all. */
const renderInSteps = async (registry: Registry): Promise<string> => {
  const parts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    // A plugin's counter may have gone meanwhile.
    if (registry.getSingleMetric(name) === undefined) continue;
    parts.push(await registry.getSingleMetricAsString(name));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return `${parts.join('\n\n')}\n`;
};

/** Makes the metrics of a gateway, with a registry of their own. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const routes = new Map<string, RouteMeter>();
  const upstreams = new Map<string, UpstreamMeter>();
  const listeners = new Map<string, ListenerMeter>();
  const plugins = createPluginCounters(registry);
  const reloads = { ok: 0, refused: 0 };
  let reloadOk = 1;
  let reloadTime = 0;
  let configInfo: Labels | null = null;
  let workerInfo: Labels | null = null;
  let shedLevel = 0;
  let redis: RedisState | null = null;
  let logDropped = 0;
  let modules = 0;
  const build = { version: options.version, node: process.version };

  const family = (key: FamilyKey, read: (emit: Emit) => void) =>
    registerFamily(registry, FAMILIES[key], read);
  const byRoute = (key: FamilyKey, read: (emit: Emit, meter: RouteMeter) => void) =>
    family(key, (emit) => {
      for (const meter of routes.values()) read(emit, meter);
    });
  const byUpstream = (key: FamilyKey, read: (emit: Emit, meter: UpstreamMeter) => void) =>
    family(key, (emit) => {
      for (const meter of upstreams.values()) read(emit, meter);
    });
  const byRegistry = (key: FamilyKey, read: (meter: DiscoveryMeter) => number) =>
    family(key, (emit) => {
      for (const { discovery } of upstreams.values())
        if (discovery !== null) emit.value(discovery.labels, read(discovery));
    });
  const byEndpoint = (key: FamilyKey, read: (emit: Emit, meter: EndpointMeter) => void) =>
    family(key, (emit) => {
      for (const upstream of upstreams.values()) {
        for (const meter of upstream.endpoints.values()) read(emit, meter);
      }
    });

  byRoute('requests', (emit, meter) => {
    for (const cell of new Set(meter.requests.values())) emit.value(cell.labels, cell.count);
  });
  byRoute('duration', (emit, meter) => emit.buckets(meter.labels, meter.total));
  byRoute('upstreamDuration', (emit, meter) => emit.buckets(meter.labels, meter.upstream));
  byRoute('inFlight', (emit, meter) => emit.value(meter.labels, meter.inFlight));
  byRoute('inBytes', (emit, meter) => emit.value(meter.labels, meter.inBytes));
  byRoute('outBytes', (emit, meter) => emit.value(meter.labels, meter.outBytes));
  byRoute('tunnelsOpen', (emit, meter) => emit.value(meter.labels, meter.tunnelsOpen));
  byRoute('tunnels', (emit, meter) => emit.value(meter.labels, meter.tunnels));
  byRoute('mirrored', (emit, { labels, mirrored }) => {
    for (const [result, count] of mirrored) emit.value({ ...labels, result }, count);
  });
  byRoute('faults', (emit, { labels, faults }) => {
    // Most routes never have any: no series for them.
    if (faults.delays > 0) emit.value({ ...labels, kind: 'delay' }, faults.delays);
    if (faults.aborts > 0) emit.value({ ...labels, kind: 'abort' }, faults.aborts);
  });
  byRoute('parts', (emit, meter) => {
    for (const cell of meter.parts.values()) emit.value(cell.labels, cell.count);
  });
  byRoute('memberConflicts', (emit, meter) => {
    if (meter.parts.size > 0) emit.value(meter.labels, meter.memberConflicts);
  });
  byEndpoint('attempts', (emit, meter) => {
    for (const cell of meter.attempts.values()) emit.value(cell.labels, cell.count);
  });
  byUpstream('retries', (emit, meter) => emit.value(meter.labels, meter.retries));
  byUpstream('retriesRefused', (emit, meter) => emit.value(meter.labels, meter.retriesRefused));
  byUpstream('hedges', (emit, meter) => emit.value(meter.labels, meter.hedges));
  byUpstream('hedgesWon', (emit, meter) => emit.value(meter.labels, meter.hedgesWon));
  byUpstream('failovers', (emit, meter) => emit.value(meter.labels, meter.failovers));
  byUpstream('waiting', (emit, meter) => emit.value(meter.labels, meter.waiting));
  byUpstream('panic', (emit, meter) => emit.value(meter.labels, meter.panic ? 1 : 0));
  byUpstream('limit', (emit, meter) => {
    if (meter.limit >= 0) emit.value(meter.labels, meter.limit);
  });
  family('breaker', (emit) => {
    for (const meter of upstreams.values()) if (meter.breaker >= 0) emit.value(meter.labels, meter.breaker);
  });
  family('breakerOpened', (emit) => {
    for (const meter of upstreams.values()) {
      if (meter.breaker >= 0) emit.value(meter.labels, meter.breakerOpened);
    }
  });
  byRegistry('registryAge', (meter) => meter.ageMs / 1000);
  byRegistry('registryFailures', (meter) => meter.failures);
  byRegistry('registryDoubted', (meter) => (meter.doubted ? 1 : 0));
  byRegistry('registryEndpoints', (meter) => meter.endpoints);
  byEndpoint('healthy', (emit, meter) => emit.value(meter.labels, meter.healthy ? 1 : 0));
  byEndpoint('weight', (emit, meter) => {
    if (meter.weight >= 0) emit.value(meter.labels, meter.weight);
  });
  byEndpoint('ejections', (emit, meter) => emit.value(meter.labels, meter.ejections));
  byEndpoint('checks', (emit, meter) => {
    if (meter.checksPassed < 0) return;
    emit.value(meter.passedLabels, meter.checksPassed);
    emit.value(meter.failedLabels, meter.checksFailed);
  });
  byEndpoint('endpointInFlight', (emit, meter) => emit.value(meter.labels, meter.inFlight));
  byEndpoint('streams', (emit, meter) => emit.value(meter.labels, meter.streams));
  byEndpoint('connections', (emit, meter) => {
    if (meter.connections >= 0) emit.value(meter.labels, meter.connections);
  });
  family('listenerConnections', (emit) => {
    for (const meter of listeners.values()) emit.value(meter.labels, meter.connections);
  });
  family('refused', (emit) => {
    for (const meter of listeners.values()) {
      for (const cell of meter.refused.values()) emit.value(cell.labels, cell.count);
    }
  });
  family('reloads', (emit) => {
    emit.value({ result: 'ok' }, reloads.ok);
    emit.value({ result: 'refused' }, reloads.refused);
  });
  family('reloadOk', (emit) => emit.value({}, reloadOk));
  family('reloadTime', (emit) => emit.value({}, reloadTime));
  family('configInfo', (emit) => {
    if (configInfo !== null) emit.value(configInfo, 1);
  });
  family('buildInfo', (emit) => emit.value(build, 1));
  family('traceWorker', (emit) => {
    if (workerInfo !== null) emit.value(workerInfo, 1);
  });
  family('shedding', (emit) => emit.value({}, shedLevel));
  family('redisUp', (emit) => {
    if (redis !== null) emit.value({}, redis.up ? 1 : 0);
  });
  family('redisNodes', (emit) => {
    if (redis !== null) emit.value({}, redis.nodes);
  });
  family('logDropped', (emit) => emit.value({}, logDropped));
  family('modules', (emit) => emit.value({}, modules));

  if (options.process ?? true) {
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }

  const inUse = (hash: string) => {
    reloadOk = 1;
    reloadTime = options.clock.wallMs() / 1000;
    configInfo = { hash };
  };
  let rendering: Promise<string> | null = null;

  return {
    route: (name) => getOrMake(routes, name, (own) => new RouteMeter(own)),
    upstream: (name) => getOrMake(upstreams, name, (own) => new UpstreamMeter(own)),
    listener: (name) => getOrMake(listeners, name, (own) => new ListenerMeter(own)),
    pluginCounter: (instance, spec) => plugins.get(instance, spec),
    started: inUse,
    reloaded(hash) {
      if (hash === null) {
        reloads.refused++;
        reloadOk = 0;
        return;
      }
      reloads.ok++;
      inUse(hash);
    },
    traceWorker(worker, source) {
      workerInfo = { worker: String(worker), source };
    },
    shedding(level) {
      shedLevel = level;
    },
    redis(state) {
      redis = state;
    },
    logDropped(lines) {
      logDropped += lines;
    },
    pluginModules(count) {
      modules = count;
    },
    retain(what) {
      keepOnly(routes, what.routes);
      keepOnly(upstreams, what.upstreams);
      if (what.listeners !== undefined) keepOnly(listeners, what.listeners);
      if (what.instances !== undefined) plugins.retain(what.instances);
    },
    render() {
      rendering ??= renderInSteps(registry).finally(() => {
        rendering = null;
      });
      return rendering;
    },
    contentType: registry.contentType,
  };
}
