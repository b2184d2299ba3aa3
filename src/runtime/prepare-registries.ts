/** The part of a preparation that opens registries and follows the services of upstreams. */
import type { RedisConnection } from '../clients/redis.ts';
import type { RegistryConfig } from '../config/types.ts';
import type { Lease } from '../kernel/table.ts';
import type { IssueList } from './issue-list.ts';
import type { Plan } from './plan.ts';
import { redisKey } from './redis-lease.ts';
import type { Around, Followed, LiveRegistry, Registries } from './registries.ts';
import { UnreadableFile } from './tls-files.ts';

export interface RegistryOrder {
  readonly plan: Plan;
  readonly issues: IssueList;
  /** True: only to see whether it would do; no registry is opened. */
  readonly rehearsal?: boolean;
}

export class RegistryPreparation {
  readonly #registries: Registries;
  readonly #order: RegistryOrder;
  /** All registries of the configuration, used or not. */
  readonly leases: Lease<LiveRegistry>[] = [];
  /** Services that are followed, by the upstream that has their endpoints. */
  readonly followed = new Map<string, Lease<Followed>>();

  constructor(registries: Registries, order: RegistryOrder) {
    this.#registries = registries;
    this.#order = order;
  }

  /**
   * Opens everything and waits a moment for the first answers; nothing needs to be reachable. Does nothing where the
   * configuration is refused already.
   */
  async open(redis: RedisConnection | null): Promise<void> {
    const { plan, issues, rehearsal = false } = this.#order;
    const { registries, upstreams, stateDir } = plan.config;
    const around = { stateDir, redis: redis && { key: redisKey(plan.config), link: redis } };
    if (rehearsal) this.#inspect();
    if (rehearsal || issues.refused) return;
    for (const registry of Object.values(registries)) await this.#openOne(registry, around);
    if (issues.refused) return;
    for (const { name, discover } of Object.values(upstreams)) {
      if (discover === null) continue;
      const registry = registries[discover.registry]!;
      this.followed.set(name, await this.#registries.follow(registry, discover, around));
    }
    await this.#registries.settled([...this.followed.values()].map((lease) => lease.value));
  }

  /** Gives back all that was opened. */
  discard(): void {
    for (const lease of [...this.followed.values(), ...this.leases]) lease.release();
  }

  async #openOne(config: RegistryConfig, around: Around): Promise<void> {
    try {
      this.leases.push(await this.#registries.open(config, around));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const path = error instanceof UnreadableFile ? error.path : config.path;
      this.#order.issues.error({ message: `the registry cannot be opened: ${error.message}`, path });
    }
  }

  /** A gateway starts with a registry that is wrong, so that is no error of the configuration. */
  #inspect(): void {
    const { plan, issues } = this.#order;
    for (const config of Object.values(plan.config.registries))
      for (const message of this.#registries.inspect(config)) issues.warn({ message, path: config.path });
  }
}
