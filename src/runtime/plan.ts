/** From a configuration to what will run, as pure data: what `check`, `explain` and golden tests look at. */
import type { Config, PluginUses, Route, Timeouts, Upstream } from '../config/types.ts';
import type { PluginUse } from '../pipeline/instances.ts';
import { resolveUses } from '../pipeline/resolve.ts';
import type { RouteInfo } from '../plugin.ts';
import type { RouteMatch } from '../router/router.ts';

/** One way a route can go: an upstream, and what holds for this route on it. */
export interface PlannedTarget {
  readonly upstream: string;
  readonly weight: number;
  readonly timeouts: Timeouts;
  readonly hostHeader: string;
}

export interface PlannedRoute {
  readonly info: RouteInfo;
  readonly match: RouteMatch;
  readonly config: Route;
  readonly targets: readonly PlannedTarget[];
}

export interface Plan {
  readonly config: Config;
  readonly routes: readonly PlannedRoute[];
}

const planTarget = (route: Route, upstream: Upstream, weight: number): PlannedTarget => ({
  upstream: upstream.name,
  weight,
  timeouts: { ...upstream.timeouts, ...route.timeouts },
  hostHeader: route.hostHeader === 'keep' ? (upstream.hostHeader ?? 'keep') : route.hostHeader,
});

const planRoute = (route: Route, upstreams: Config['upstreams']): PlannedRoute => ({
  info: { name: route.name, host: route.host, path: route.path },
  match: route,
  config: route,
  targets: route.upstream.map((share) => planTarget(route, upstreams[share.name]!, share.weight)),
});

/** Plans a checked configuration; the same input gives the same plan. */
export function plan(config: Config): Plan {
  return { config, routes: config.routes.map((route) => planRoute(route, config.upstreams)) };
}
