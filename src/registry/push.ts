/** The push registry: the gateway itself, told by the services where they are, and forgetting those that fall silent. */
import { isDeepStrictEqual } from 'node:util';
import { push as form } from '../config/registries/push.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { hasMetadata } from './entry.ts';
import { PushShare, type SharedInstance } from './push-share.ts';
import { createPushState, type KeptInstance, type PushState } from './push-state.ts';
import {
  type RegisteredEndpoint,
  type Registry,
  type RegistryListener,
  type RegistryParts,
  registryKind,
} from './registry.ts';

interface Query {
  readonly service: string;
  readonly options: { readonly metadata: Readonly<Record<string, string>> };
}

interface Options {
  readonly ttl: number;
  readonly drain: number;
  readonly instances: number;
}

interface Instance extends KeptInstance {
  /** When it is forgotten, monotonic; of what another gateway was told, only Redis knows. */
  dueMs: number;
  draining: boolean;
  /** This gateway was told of it. */
  own: boolean;
}

/** One instance as the admin server shows it. */
export interface PushedInstance {
  readonly service: string;
  readonly endpoint: RegisteredEndpoint;
  readonly ttlMs: number;
  /** Until it is forgotten; null where another gateway was told of it. */
  readonly leftMs: number | null;
  readonly draining: boolean;
}

/** How often silent instances are looked for. */
const LOOK_MS = 250;

const keyOf = (service: string, id: string): string => `${service}/${id}`;

const kept = ({ service, endpoint, ttlMs }: KeptInstance): KeptInstance => ({ service, endpoint, ttlMs });

export class PushRegistry implements Registry {
  readonly #options: Options;
  readonly #clock: Clock;
  readonly #state: PushState;
  readonly #instances = new Map<string, Instance>();
  readonly #watches = new Map<RegistryListener, Query>();
  readonly #looking: Timer;
  /** Null where this gateway is alone. */
  readonly #share: PushShare | null;
  /** Fulfilled when what was known before the restart is known again. */
  readonly #loaded: Promise<void>;

  constructor(options: Options, parts: RegistryParts) {
    this.#options = options;
    this.#clock = parts.clock;
    this.#state = createPushState(parts.stateDir, parts.name, parts.log);
    this.#loaded = this.#load();
    this.#share = this.#shareOf(parts);
    this.#looking = parts.clock.every(LOOK_MS, () => this.#look());
  }

  watch(query: Query, to: RegistryListener) {
    this.#watches.set(to, query);
    this.#loaded.then(() => this.#tell(to));
    return { close: () => void this.#watches.delete(to) };
  }

  /**
   * Enters an instance, or hears that it is alive; one that drains serves again.
   * @param ttlMs null: the registry's own
   * @returns what has happened; `full`: nothing, since there are as many as may be
   */
  async put(
    service: string,
    endpoint: RegisteredEndpoint,
    ttlMs: number | null,
  ): Promise<'entered' | 'changed' | 'renewed' | 'full'> {
    await this.#loaded;
    const key = keyOf(service, endpoint.id);
    const before = this.#instances.get(key);
    if (before === undefined && this.#instances.size >= this.#options.instances) return 'full';
    const ttl = ttlMs ?? this.#options.ttl;
    const dueMs = this.#clock.nowMs() + ttl;
    const told: KeptInstance = { service, endpoint, ttlMs: ttl };
    this.#instances.set(key, { ...told, dueMs, draining: false, own: true });
    void this.#share?.put({ ...told, draining: false }, ttl);
    if (before !== undefined && isDeepStrictEqual(kept(before), told)) return 'renewed';
    this.#changed(service);
    return before === undefined ? 'entered' : 'changed';
  }

  /** Gives an instance no new requests, and forgets it after the drain time. False where there is none such. */
  async remove(service: string, id: string): Promise<boolean> {
    await this.#loaded;
    const key = keyOf(service, id);
    const before = this.#instances.get(key);
    if (before === undefined) return false;
    if (before.draining) return true;
    const endpoint = { ...before.endpoint, weight: 0 };
    const dueMs = this.#clock.nowMs() + this.#options.drain;
    this.#instances.set(key, { ...before, endpoint, dueMs, draining: true, own: true });
    void this.#share?.put({ service, endpoint, ttlMs: before.ttlMs, draining: true }, this.#options.drain);
    this.#changed(service);
    return true;
  }

  list(): PushedInstance[] {
    const now = this.#clock.nowMs();
    return [...this.#instances.values()].map(({ service, endpoint, ttlMs, dueMs, draining }) => ({
      service,
      endpoint,
      ttlMs,
      leftMs: dueMs === Number.POSITIVE_INFINITY ? null : Math.max(0, dueMs - now),
      draining,
    }));
  }

  async close(): Promise<void> {
    this.#looking.cancel();
    this.#share?.close();
    this.#watches.clear();
    await this.#state.flush();
  }

  /** They could not be heard while the gateway was away: each has its whole TTL to speak up. */
  async #load(): Promise<void> {
    const now = this.#clock.nowMs();
    for (const instance of (await this.#state.read()).slice(0, this.#options.instances))
      this.#instances.set(keyOf(instance.service, instance.endpoint.id), {
        ...instance,
        dueMs: now + instance.ttlMs,
        draining: false,
        own: true,
      });
  }

  #shareOf({ redis, name, clock, random }: RegistryParts): PushShare | null {
    if (redis === null) return null;
    const found = (instances: readonly SharedInstance[]) =>
      void this.#loaded.then(() => this.#merge(instances));
    const failed = (error: Error) => {
      for (const to of this.#watches.keys()) to.failed(error);
    };
    const well = () => {
      for (const to of this.#watches.keys()) this.#tell(to);
    };
    return new PushShare({ redis, name, clock, random, found, failed, well });
  }

  /** Takes what all gateways were told together; what only this one was told, it tells the others again. */
  #merge(shared: readonly SharedInstance[]): void {
    const now = this.#clock.nowMs();
    const before = new Map(this.#instances);
    const changed = new Set<string>();
    for (const instance of shared) {
      const key = keyOf(instance.service, instance.endpoint.id);
      const mine = before.get(key);
      before.delete(key);
      if (mine === undefined && this.#instances.size >= this.#options.instances) continue;
      const same = mine !== undefined && isDeepStrictEqual(kept(mine), kept(instance));
      const own = same && mine.own;
      const dueMs = own ? mine.dueMs : Number.POSITIVE_INFINITY;
      this.#instances.set(key, { ...instance, own, dueMs });
      if (!same) changed.add(instance.service);
    }
    for (const [key, instance] of before) {
      const { service, endpoint, ttlMs, draining, dueMs, own } = instance;
      if (own && dueMs > now) void this.#share?.put({ service, endpoint, ttlMs, draining }, dueMs - now);
      else if (this.#instances.delete(key)) changed.add(service);
    }
    for (const service of changed) this.#changed(service);
    for (const to of this.#watches.keys()) this.#tell(to);
  }

  /** Forgets the silent; where gateways share, Redis does that, and while it is away nobody is forgotten. */
  #look(): void {
    const now = this.#clock.nowMs();
    const services = new Set<string>();
    for (const [key, instance] of this.#instances) {
      if (instance.dueMs > now) continue;
      if (this.#share !== null) {
        instance.own = false;
        instance.dueMs = Number.POSITIVE_INFINITY;
        continue;
      }
      this.#instances.delete(key);
      services.add(instance.service);
    }
    for (const service of services) this.#changed(service);
  }

  #changed(service: string): void {
    this.#state.write([...this.#instances.values()].filter((each) => !each.draining).map(kept));
    for (const [to, query] of this.#watches) if (query.service === service) this.#tell(to);
  }

  #tell(to: RegistryListener): void {
    const query = this.#watches.get(to);
    if (query === undefined) return;
    const list: RegisteredEndpoint[] = [];
    for (const { service, endpoint } of this.#instances.values())
      if (service === query.service && hasMetadata(endpoint, query.options.metadata)) list.push(endpoint);
    to.endpoints(list);
  }
}

export const pushKind = registryKind(form, (options, parts) => new PushRegistry(options, parts), {
  usesRedis: true,
});
