/** A route at work, with what it holds on to for as long as a request or a tunnel runs on it. */
import type { Priority } from '../config/shed.ts';
import type { Lease } from '../kernel/table.ts';
import type { Chain } from '../pipeline/chain.ts';
import type { RouteInfo } from '../plugin.ts';
import type { Fault } from '../proxy/fault.ts';
import type { RouteMeter } from '../telemetry/meters.ts';
import type { PlannedRoute } from './plan.ts';
import type { Rewrite } from './rewrite.ts';
import type { RouteSplit } from './route-split.ts';
import type { UpgradeGuard } from './upgrade-guard.ts';

export interface LiveRouteParts {
  readonly plan: PlannedRoute;
  /** The hooks that run before a target is chosen. */
  readonly chain: Chain;
  /** Null where plugins answer everything. */
  readonly split: RouteSplit | null;
  readonly rewrite: Rewrite | null;
  /** Null where nothing is broken on purpose. */
  readonly fault: Fault | null;
  /** Null where any page may open a WebSocket. */
  readonly upgrades: UpgradeGuard | null;
  readonly slotCount: number;
  readonly meter: RouteMeter;
  readonly leases: readonly Lease<unknown>[];
}

export class LiveRoute {
  readonly plan: PlannedRoute;
  readonly info: RouteInfo;
  readonly priority: Priority;
  readonly chain: Chain;
  readonly split: RouteSplit | null;
  readonly rewrite: Rewrite | null;
  readonly fault: Fault | null;
  readonly upgrades: UpgradeGuard | null;
  readonly slotCount: number;
  readonly meter: RouteMeter;
  readonly #leases: readonly Lease<unknown>[];
  #active = 0;
  #retired = false;

  constructor(parts: LiveRouteParts) {
    this.plan = parts.plan;
    this.info = parts.plan.info;
    this.priority = parts.plan.config?.priority ?? 'normal';
    this.chain = parts.chain;
    this.split = parts.split;
    this.rewrite = parts.rewrite;
    this.fault = parts.fault;
    this.upgrades = parts.upgrades;
    this.slotCount = parts.slotCount;
    this.meter = parts.meter;
    this.#leases = parts.leases;
  }

  /** Its split goes on from where the one of an earlier configuration stands, so that a reload is no jolt. */
  follow(before: LiveRoute): void {
    if (this.split !== null && before.split !== null) this.split.follow(before.split);
  }

  /** A request begins: upstreams and plugins stay until it ends. */
  enter(): void {
    this.#active++;
    this.meter.begin();
  }

  leave(): void {
    this.#active--;
    if (this.#retired && this.#active === 0) this.#release();
  }

  /** No new requests come; what the route holds is given back after the last one. */
  retire(): void {
    this.#retired = true;
    if (this.#active === 0) this.#release();
  }

  #release(): void {
    for (const lease of this.#leases) lease.release();
  }
}
