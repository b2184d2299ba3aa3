/** The registries that are open and the services that are followed: shared by upstreams, kept through reloads. */
import { hash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Discover, RegistryConfig } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { createTable, type Lease, type Table } from '../kernel/table.ts';
import type { PluginLogger, RedisLink } from '../plugin.ts';
import { REGISTRY_KINDS } from '../registry/catalog.ts';
import { Membership } from '../registry/membership.ts';
import type { Registry } from '../registry/registry.ts';
import { createSnapshots } from '../registry/snapshots.ts';
import type { Logger } from '../telemetry/logger.ts';
import { readTlsFiles } from './tls-files.ts';

/** How long a start or a reload waits for the first answers; those that come later are taken up then. */
const FIRST_ANSWERS_MS = 1500;

export interface RegistriesParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Relative file names start here. */
  readonly folder: string;
  /** Takes over the promise of something that is being closed. */
  readonly closing: (what: string, work: Promise<void>) => void;
}

/** What of a configuration all its registries have around them. */
export interface Around {
  readonly stateDir: string;
  /** Null where it names none. */
  readonly redis: { readonly key: string; readonly link: RedisLink } | null;
}

/** A registry that is open, with what a configuration says of it. */
export interface LiveRegistry {
  readonly registry: Registry;
  readonly config: RegistryConfig;
  readonly key: string;
}

/** A service that is followed. */
export interface Followed {
  readonly discover: Discover;
  readonly membership: Membership;
}

/** Why there is no endpoint, as a sentence's end. */
export function whyEmpty(followed: Followed | null): string {
  if (followed === null) return 'it has no endpoint';
  const { registry, service } = followed.discover;
  const { from, failure } = followed.membership.state();
  if (from !== 'nothing') return `the registry ${registry} knows no endpoint of ${service}`;
  return failure === null
    ? `the registry ${registry} has not answered yet`
    : `the registry ${registry} has never answered: ${failure}`;
}

/** What is wrong with a registry now, for people; null while it is well. */
export function troubleOf({ discover, membership }: Followed): string | null {
  const { failure, from } = membership.state();
  if (failure === null) return null;
  const meanwhile = from === 'nothing' ? 'has no endpoint' : 'keeps its last endpoints';
  return `the registry ${discover.registry} fails, and ${discover.service} ${meanwhile}: ${failure}`;
}

/** Each line says which registry it is about. */
const logOf = (log: Logger, registry: string): PluginLogger => ({
  debug: (message, fields) => log.debug(message, { registry, ...fields }),
  info: (message, fields) => log.info(message, { registry, ...fields }),
  warn: (message, fields) => log.warn(message, { registry, ...fields }),
  error: (message, fields) => log.error(message, { registry, ...fields }),
});

interface Held extends Followed {
  readonly registry: Lease<LiveRegistry>;
}

export class Registries {
  readonly #parts: RegistriesParts;
  readonly #open: Table<Registry>;
  readonly #followed: Table<Held>;

  constructor(parts: RegistriesParts) {
    this.#parts = parts;
    const { closing } = parts;
    this.#open = createTable((registry) => closing('a registry could not be closed', registry.close()));
    this.#followed = createTable(({ membership, registry }) =>
      closing(
        'a service could not be let go of',
        membership.close().finally(() => registry.release()),
      ),
    );
  }

  /**
   * Shares an open registry, or opens it.
   * @throws UnreadableFile, or what opening it gives
   */
  async open(config: RegistryConfig, around: Around): Promise<Lease<LiveRegistry>> {
    const { clock, random, log, folder } = this.#parts;
    const tls = readTlsFiles(config.tls, [...config.path, 'tls']);
    const { stateDir } = around;
    const kind = REGISTRY_KINDS.get(config.type)!;
    const redis = kind.usesRedis ? around.redis : null;
    const text = JSON.stringify([config.type, config.options, tls, stateDir, redis?.key ?? null]);
    const key = `${config.name} ${hash('sha256', text)}`;
    const lease = await this.#open.acquire(key, () =>
      kind.open(config.options, {
        name: config.name,
        clock,
        random,
        log: logOf(log, config.name),
        tls,
        stateDir,
        redis: redis?.link ?? null,
        resolveFile: (name) => resolve(folder, name),
      }),
    );
    return { value: { registry: lease.value, config, key }, release: () => lease.release() };
  }

  /** Shares a service that is followed, or begins to follow it. What was known of it before is there at once. */
  async follow(config: RegistryConfig, discover: Discover, around: Around): Promise<Lease<Followed>> {
    const { clock, log } = this.#parts;
    const registry = await this.open(config, around);
    const { service, options } = discover;
    const key = `${registry.value.key} ${JSON.stringify([config.confirmMs, service, options])}`;
    let taken = false;
    const begin = async (): Promise<Held> => {
      taken = true;
      const own = logOf(log, config.name);
      const membership = new Membership({
        registry: registry.value.registry,
        query: { service, options },
        clock,
        log: own,
        confirmMs: config.confirmMs,
        snapshots: createSnapshots(around.stateDir, config.name, own),
      });
      await membership.open();
      return { discover, membership, registry };
    };
    const lease = await this.#followed.acquire(key, begin);
    if (!taken) registry.release();
    return lease;
  }

  /** What is wrong with what a registry names on this machine; nothing is opened. */
  inspect(config: RegistryConfig): readonly string[] {
    const resolveFile = (name: string) => resolve(this.#parts.folder, name);
    return REGISTRY_KINDS.get(config.type)!.inspect(config.options, resolveFile);
  }

  /** Waits until each has heard from its registry, good or bad, but for a short time only. */
  async settled(followed: readonly Followed[]): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(FIRST_ANSWERS_MS, over.resolve);
    await Promise.race([Promise.all(followed.map(({ membership }) => membership.ready)), over.promise]);
    timer.cancel();
  }
}
