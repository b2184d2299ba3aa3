/** Routes, targets and plugins as the command line shows them. */
import type { PlannedRoute } from '../runtime/plan.ts';
import { columns } from './terminal.ts';

/** `GET,POST`, or `ANY`. */
export function methodsText(route: PlannedRoute): string {
  const methods = route.config?.methods ?? [];
  return methods.length === 0 ? 'ANY' : methods.join(',');
}

/** Host and path as the file has them. */
export function patternText(route: PlannedRoute): string {
  return `${route.info.host}${route.info.path}`;
}

/** `orders 90%, canary 10%`, or the upstreams of all parts; empty where plugins answer everything. */
export function targetsText(route: PlannedRoute): string {
  if (route.parts.length > 0) return [...new Set(route.parts.map((part) => part.upstream))].join(' + ');
  const total = route.targets.reduce((sum, target) => sum + target.weight, 0);
  if (route.targets.length === 1) return route.targets[0]!.upstream;
  const share = (weight: number) => `${Number(((weight / total) * 100).toFixed(1))}%`;
  return route.targets.map((target) => `${target.upstream} ${share(target.weight)}`).join(', ');
}

/** The names of its plugins in the order in which they run. */
export function pluginsText(route: PlannedRoute): string {
  const uses = route.targets[0]?.uses ?? route.uses;
  return uses.map((use) => use.name).join(', ');
}

/** One line a route. */
export function routesTable(routes: readonly PlannedRoute[]): string {
  return columns(
    routes.map((route) => {
      const targets = targetsText(route);
      const plugins = pluginsText(route);
      const to = targets === '' ? '' : `→ ${targets}`;
      return [methodsText(route), patternText(route), to, plugins === '' ? '' : `[${plugins}]`];
    }),
  );
}

/** A route for `--json` and the admin API. */
export function routeJson(route: PlannedRoute): Record<string, unknown> {
  const { config } = route;
  return {
    name: route.info.name,
    host: route.info.host,
    path: route.info.path,
    methods: config?.methods ?? [],
    headers: config?.headers ?? {},
    query: config?.query ?? {},
    upstreams: route.targets.map(({ upstream, weight, failover }) => ({ name: upstream, weight, failover })),
    splitBy: config?.splitBy ?? null,
    mirror: config?.mirror ?? null,
    fault: config?.fault ?? null,
    parts: route.parts.map(({ part, upstream }) => ({ name: part.name, upstream, optional: part.optional })),
    plugins: (route.targets[0]?.uses ?? route.uses).map(({ name, scope, use }) => ({
      name,
      type: use.type,
      scope,
    })),
    timeoutMs: config?.timeoutMs ?? null,
    line: config?.line ?? null,
  };
}
