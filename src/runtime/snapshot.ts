/** All that a request needs to know, compiled from one configuration and never changed afterwards. */
import type { RedisConnection } from '../clients/redis.ts';
import type { Config } from '../config/types.ts';
import type { Lease } from '../kernel/table.ts';
import type { Router } from '../router/router.ts';
import type { Trust } from './client.ts';
import type { LiveRoute } from './live-route.ts';
import type { LiveUpstream } from './live-upstream.ts';
import type { Plan } from './plan.ts';
import type { LiveRegistry } from './registries.ts';
import type { Tracing } from './tracing.ts';

export interface Snapshot {
  readonly plan: Plan;
  readonly config: Config;
  readonly router: Router;
  /** By the router's index. */
  readonly routes: readonly LiveRoute[];
  /** Where a request goes that no route takes. */
  readonly fallback: LiveRoute;
  /** By name. */
  readonly upstreams: ReadonlyMap<string, LiveUpstream>;
  /** Null where the configuration names none. */
  readonly redis: RedisConnection | null;
  /** All that the configuration names, open as long as it is in force. */
  readonly registries: readonly Lease<LiveRegistry>[];
  readonly trust: Trust;
  /** Headers that only plugins may set; null when there are none. */
  readonly reserved: readonly string[] | null;
  readonly tracing: Tracing;
}

/** Lets go of everything that no running request needs any more. */
export function retire(snapshot: Pick<Snapshot, 'routes' | 'fallback' | 'registries' | 'tracing'>): void {
  for (const route of snapshot.routes) route.retire();
  snapshot.fallback.retire();
  for (const registry of snapshot.registries) registry.release();
  snapshot.tracing.close();
}
