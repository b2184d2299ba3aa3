/** Acquires everything that a plan needs, so that putting it in force is one assignment that cannot fail. */
import { resolve } from 'node:path';
import type { RedisConnection } from '../clients/redis.ts';
import { suggest } from '../config/suggest.ts';
import type { Fault as FaultConfig } from '../config/traffic-options.ts';
import type { ConfigPath, Upstream as UpstreamConfig } from '../config/types.ts';
import type { Lease } from '../kernel/table.ts';
import { type Chain, compileChain } from '../pipeline/chain.ts';
import {
  createInstance,
  type HostParts,
  type Instance,
  instanceKey,
  PluginConfigError,
} from '../pipeline/instances.ts';
import type { LoadedPlugin } from '../pipeline/load.ts';
import type { ResolvedUse } from '../pipeline/resolve.ts';
import type { UpstreamTransport } from '../proxy/call.ts';
import { Fault } from '../proxy/fault.ts';
import type { Mirror } from '../proxy/mirror.ts';
import { createRouter } from '../router/router.ts';
import type { RouteMeter } from '../telemetry/meters.ts';
import { createAggregateTarget, type OpenedPart } from './aggregate-target.ts';
import { createTrust } from './client.ts';
import type { Estate } from './estate.ts';
import { forwardOptions } from './forward-plan.ts';
import type { IssueList } from './issue-list.ts';
import { LiveRoute } from './live-route.ts';
import { ForwardTarget, type LiveTarget } from './live-target.ts';
import { type LiveUpstream, openUpstream, readConnectOptions } from './live-upstream.ts';
import { createMirror } from './open-mirror.ts';
import type { Plan, PlannedRoute, PlannedTarget } from './plan.ts';
import { RegistryPreparation } from './prepare-registries.ts';
import { acquireRedis, redisKey } from './redis-lease.ts';
import { createRewrite } from './rewrite.ts';
import { RouteSplit, type WeightedTarget } from './route-split.ts';
import type { Snapshot } from './snapshot.ts';
import { UnreadableFile } from './tls-files.ts';
import type { Tracing } from './tracing.ts';
import { createUpgradeGuard } from './upgrade-guard.ts';
import { openWay } from './way.ts';

export interface Order {
  readonly plan: Plan;
  readonly catalog: ReadonlyMap<string, LoadedPlugin>;
  readonly issues: IssueList;
  /** True: only to see whether it would do; no registry is opened. */
  readonly rehearsal?: boolean;
}

export interface Prepared {
  /**
   * Puts the changes of upstreams in force and gives what requests need; synchronous, never fails.
   * @param before what was in force until now
   */
  commit(tracing: Tracing, before: Snapshot | null): Snapshot;
  /** In the plan's order. */
  readonly routes: readonly LiveRoute[];
  /** Gives back all that was acquired. */
  discard(): void;
}

/** A route that stays shares its calls out as if nothing had happened. */
const followSplits = (routes: readonly LiveRoute[], before: readonly LiveRoute[]) => {
  const byName = new Map(before.map((route) => [route.info.name, route]));
  for (const route of routes) {
    const was = byName.get(route.info.name);
    if (was !== undefined) route.follow(was);
  }
};

class Preparation {
  readonly #estate: Estate;
  readonly #order: Order;
  readonly #upstreams = new Map<string, LiveUpstream>();
  #redis: RedisConnection | null = null;
  /** Headers that only plugins may set, on whatever route they run. */
  readonly #reserved = new Set<string>();
  readonly #registries: RegistryPreparation;
  /** All else that was acquired so far, to be given back where it comes to nothing. */
  readonly #leases: Lease<unknown>[] = [];

  constructor(estate: Estate, order: Order) {
    this.#estate = estate;
    this.#order = order;
    this.#registries = new RegistryPreparation(estate.registries, order);
  }

  async run(): Promise<Prepared> {
    try {
      return await this.#prepare();
    } catch (error) {
      this.#discard();
      throw error;
    }
  }

  #discard(): void {
    this.#registries.discard();
    for (const lease of this.#leases) lease.release();
  }

  async #prepare(): Promise<Prepared> {
    const { plan, issues } = this.#order;
    this.#redis = (await this.#acquireRedis())?.value ?? null;
    for (const config of Object.values(plan.config.upstreams)) await this.#openUpstream(config);
    // Routes acquire the upstreams too; one that no route uses need not stay.
    const own = [...this.#leases];
    const routes: LiveRoute[] = [];
    for (const route of plan.routes) routes.push(await this.#route(route));
    const fallback = await this.#route(plan.fallback);
    await this.#registries.open(this.#redis);
    const parts: Omit<Snapshot, 'tracing'> = {
      plan,
      config: plan.config,
      // With errors nothing is put in force, and a router of refused routes might throw.
      router: createRouter(issues.refused ? [] : plan.config.routes),
      routes,
      fallback,
      upstreams: this.#upstreams,
      redis: this.#redis,
      registries: this.#registries.leases,
      trust: createTrust(plan.config.trustedProxies),
      reserved: this.#reserved.size === 0 ? null : [...this.#reserved],
    };
    return {
      routes,
      commit: (tracing, before) => {
        for (const [name, live] of this.#upstreams) {
          const config = plan.config.upstreams[name]!;
          live.apply(config, this.#registries.followed.get(name) ?? null);
        }
        followSplits(routes, before?.routes ?? []);
        for (const lease of own) lease.release();
        return { ...parts, tracing };
      },
      discard: () => this.#discard(),
    };
  }

  async #acquireRedis(): Promise<Lease<RedisConnection> | null> {
    const { plan, rehearsal = false } = this.#order;
    const lease = await acquireRedis(this.#estate, plan.config, rehearsal);
    return lease && this.#keep(lease);
  }

  async #openUpstream(config: UpstreamConfig): Promise<void> {
    const lease = await this.#acquireUpstream(config);
    if (lease !== null) this.#upstreams.set(config.name, lease.value);
  }

  #keep<T>(lease: Lease<T>): Lease<T> {
    this.#leases.push(lease);
    return lease;
  }

  async #acquireUpstream(config: UpstreamConfig): Promise<Lease<LiveUpstream> | null> {
    const { upstreams } = this.#estate;
    try {
      const options = readConnectOptions(config);
      return this.#keep(
        await upstreams.acquire(options.key, () => openUpstream(config, options, this.#estate)),
      );
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error;
      this.#order.issues.error({ message: `the file cannot be read: ${error.message}`, path: error.path });
      return null;
    }
  }

  async #route(planned: PlannedRoute): Promise<LiveRoute> {
    const leases: Lease<unknown>[] = [];
    const chain = await this.#chain(planned.uses, planned, leases);
    const mirror = await this.#mirror(planned, leases);
    const targets: WeightedTarget[] = [];
    let slotCount = chain.slotCount;
    for (const target of planned.targets) {
      const live = await this.#target(planned, target, { leases, mirror, before: chain });
      if (live === null) continue;
      slotCount = Math.max(slotCount, live.slotCount);
      targets.push({ weight: target.weight, value: live });
    }
    if (planned.parts.length > 0) {
      const live = await this.#aggregate(planned, chain, leases);
      slotCount = Math.max(slotCount, live.slotCount);
      targets.push({ weight: 1, value: live });
    }
    // The last to be given back: plugins may want it while they are disposed of.
    const redis = await this.#acquireRedis();
    if (redis !== null) leases.push(redis);
    const meter = this.#estate.metrics.route(planned.info.name);
    return new LiveRoute({
      plan: planned,
      chain,
      split: targets.length === 0 ? null : new RouteSplit(targets, planned.config?.splitBy ?? null),
      rewrite: planned.config === null ? null : createRewrite(planned.config),
      fault: this.#fault(planned.config?.fault ?? null, meter),
      upgrades: createUpgradeGuard(planned.config?.websocket.origins ?? null),
      slotCount,
      meter,
      leases,
    });
  }

  #fault(config: FaultConfig | null, meter: RouteMeter): Fault | null {
    const { random, wheel } = this.#estate;
    return config === null ? null : new Fault(config, { random, wheel, counts: meter.faults });
  }

  async #target(
    planned: PlannedRoute,
    target: PlannedTarget,
    { leases, mirror, before }: { leases: Lease<unknown>[]; mirror: Mirror | null; before: Chain },
  ): Promise<LiveTarget | null> {
    const call = await this.#way(target.upstream, leases);
    if (call === null) return null;
    const { instances } = await this.#chain(target.uses, planned, leases, target.upstream);
    const chain = compileChain(instances, before.instances);
    const { upstreams } = this.#order.plan.config;
    const options = forwardOptions(planned, target, {
      chain,
      call,
      mirror,
      upstreams,
      estate: this.#estate,
    });
    return new ForwardTarget(chain, options);
  }

  async #aggregate(planned: PlannedRoute, chain: Chain, leases: Lease<unknown>[]): Promise<LiveTarget> {
    const parts: OpenedPart[] = [];
    for (const part of planned.parts) {
      const call = await this.#way(part.upstream, leases);
      if (call === null) continue;
      const own = await this.#chain(part.uses, planned, leases, part.upstream);
      parts.push({ planned: part, call, chain: own });
    }
    const { upstreams } = this.#order.plan.config;
    return createAggregateTarget(planned, parts, { chain, upstreams, estate: this.#estate });
  }

  #way(upstream: string, leases: Lease<unknown>[]): Promise<UpstreamTransport | null> {
    const { clock, metrics } = this.#estate;
    const { upstreams } = this.#order.plan.config;
    const acquire = (config: UpstreamConfig) => this.#acquireFor(leases, config);
    return openWay(upstream, { clock, metrics, upstreams, acquire });
  }

  async #acquireFor(leases: Lease<unknown>[], config: UpstreamConfig): Promise<LiveUpstream | null> {
    const lease = await this.#acquireUpstream(config);
    if (lease === null) return null;
    leases.push(lease);
    return lease.value;
  }

  async #mirror(planned: PlannedRoute, leases: Lease<unknown>[]): Promise<Mirror | null> {
    if (planned.mirror === null) return null;
    const config = this.#order.plan.config.upstreams[planned.mirror.upstream]!;
    const live = await this.#acquireFor(leases, config);
    return live && createMirror(planned, planned.mirror, { config, live, estate: this.#estate });
  }

  async #chain(
    uses: readonly ResolvedUse[],
    planned: PlannedRoute,
    leases: Lease<unknown>[],
    upstream = '',
  ): Promise<Chain> {
    const instances: Instance[] = [];
    for (const use of uses) {
      const owner = use.scope === 'global' ? '' : use.scope === 'route' ? planned.info.name : upstream;
      const lease = await this.#acquireInstance(use, owner);
      if (lease === null) continue;
      leases.push(lease);
      instances.push(lease.value);
    }
    return compileChain(instances);
  }

  async #acquireInstance({ scope, use }: ResolvedUse, owner: string): Promise<Lease<Instance> | null> {
    const { catalog, issues } = this.#order;
    const loaded = catalog.get(use.type);
    if (loaded === undefined) {
      const near = suggest(use.type, [...catalog.keys()]);
      issues.error({
        message: `there is no plugin "${use.type}"`,
        path: use.path,
        remedy:
          near === null
            ? `the plugins are ${[...catalog.keys()].sort().join(', ')}`
            : `did you mean "${near}"?`,
      });
      return null;
    }
    try {
      const key = `${instanceKey(loaded, use, scope, owner)} ${redisKey(this.#order.plan.config)}`;
      const parts = this.#hostParts(loaded, { scope, owner, path: use.path });
      const lease = this.#keep(
        await this.#estate.instances.acquire(key, () => createInstance(loaded, use, parts)),
      );
      for (const name of lease.value.hooks.reserves ?? []) this.#reserved.add(name);
      return lease;
    } catch (error) {
      if (!(error instanceof PluginConfigError)) throw error;
      for (const issue of error.issues) issues.error(issue);
      return null;
    }
  }

  #hostParts(
    loaded: LoadedPlugin,
    { scope, owner, path }: { scope: HostParts['scope']; owner: string; path: ConfigPath },
  ): HostParts {
    const { issues } = this.#order;
    const name = String(path.at(-1));
    const { clock, random, metrics, log, shared, folder } = this.#estate;
    return {
      scope,
      owner,
      log: log.child(name),
      clock,
      random,
      redis: this.#redis,
      counter: (counter, help, labels = []) => metrics.pluginCounter(name, { name: counter, help, labels }),
      // The table forgets what type a name stands for; one plugin writes and reads its own names.
      shared: <T>(key: string, open: () => Promise<T> | T) =>
        shared.acquire(`${loaded.plugin.name} ${key}`, open) as Promise<Lease<T>>,
      file: (file) => resolve(folder, file),
      note: (message, remedy) => issues.note({ message, path, remedy: remedy ?? null }),
    };
  }
}

/**
 * Acquires what the plan needs. What is wrong is added to `order.issues`; with errors there, the caller discards.
 */
export function prepare(estate: Estate, order: Order): Promise<Prepared> {
  return new Preparation(estate, order).run();
}
