/** From a configuration to what will run, as pure data: what `check`, `explain` and golden tests look at. */
import type { AggregatePart } from '../config/aggregate-types.ts';
import { failoverChain } from '../config/failover.ts';
import type { Config, Route, Timeouts, Upstream } from '../config/types.ts';
import { type ResolvedUse, resolveUses } from '../pipeline/resolve.ts';
import type { RouteInfo } from '../plugin.ts';

/** One way a route can go: an upstream, and what holds for this route on it. */
export interface PlannedTarget {
  readonly upstream: string;
  readonly weight: number;
  readonly timeouts: Timeouts;
  /** The upstreams that take over one after another when nobody of those before is usable. */
  readonly failover: readonly string[];
  /** `keep`, `upstream`, or the name to send. */
  readonly hostHeader: string;
  /** The plugins of all three scopes, in the order in which they run. */
  readonly uses: readonly ResolvedUse[];
}

/** Where a route's copies go. */
export interface PlannedMirror {
  readonly upstream: string;
  readonly percent: number;
  readonly timeouts: Timeouts;
  readonly hostHeader: string;
}

/** One call of an aggregate: its upstream, and what holds for this route on it. */
export interface PlannedPart extends Omit<PlannedTarget, 'weight'> {
  readonly part: AggregatePart;
}

export interface PlannedRoute {
  readonly info: RouteInfo;
  /** Null for what runs where no route matches. */
  readonly config: Route | null;
  readonly targets: readonly PlannedTarget[];
  readonly mirror: PlannedMirror | null;
  /** Of an aggregate, which has no targets; empty elsewhere. */
  readonly parts: readonly PlannedPart[];
  /** The plugins that run before a target is chosen: those of global and route scope. */
  readonly uses: readonly ResolvedUse[];
}

export interface Plan {
  readonly config: Config;
  /** In the file's order, which is also the router's. */
  readonly routes: readonly PlannedRoute[];
  /** Where a request goes that no route takes: plugins, log and metrics run there too. */
  readonly fallback: PlannedRoute;
}

const NO_USES = Object.freeze(Object.create(null) as Record<string, never>);

const planTarget = (config: Config, route: Route, upstream: Upstream): Omit<PlannedTarget, 'weight'> => ({
  upstream: upstream.name,
  failover: failoverChain(config.upstreams, upstream.name),
  timeouts: { ...upstream.timeouts, ...route.timeouts },
  hostHeader: route.hostHeader === 'keep' ? (upstream.hostHeader ?? 'keep') : route.hostHeader,
  uses: resolveUses(config.plugins, upstream.plugins, route.plugins),
});

const planMirror = (config: Config, route: Route): PlannedMirror | null => {
  if (route.mirror === null) return null;
  const { upstream, timeouts, hostHeader } = planTarget(
    config,
    route,
    config.upstreams[route.mirror.upstream]!,
  );
  return { upstream, percent: route.mirror.percent, timeouts, hostHeader };
};

const planRoute = (config: Config, route: Route): PlannedRoute => ({
  info: { name: route.name, host: route.host, path: route.path },
  config: route,
  targets: route.upstream.map(({ name, weight }) => ({
    ...planTarget(config, route, config.upstreams[name]!),
    weight,
  })),
  mirror: planMirror(config, route),
  parts: (route.aggregate?.parts ?? []).map((part) => ({
    part,
    ...planTarget(config, route, config.upstreams[part.upstream]!),
  })),
  uses: resolveUses(config.plugins, NO_USES, route.plugins),
});

/** Plans a checked configuration; the same input gives the same plan. */
export function plan(config: Config): Plan {
  return {
    config,
    routes: config.routes.map((route) => planRoute(config, route)),
    fallback: {
      info: { name: '-', host: '', path: '' },
      config: null,
      targets: [],
      mirror: null,
      parts: [],
      uses: resolveUses(config.plugins, NO_USES, NO_USES),
    },
  };
}
