/** The push registry: the gateway itself, told by the services where they are, and forgetting those that fall silent. */
import { push as form } from '../config/registries/push.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { hasMetadata } from './entry.ts';
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
  /** When it is forgotten, monotonic. */
  dueMs: number;
  draining: boolean;
}

/** One instance as the admin server shows it. */
export interface PushedInstance {
  readonly service: string;
  readonly endpoint: RegisteredEndpoint;
  readonly ttlMs: number;
  /** Until it is forgotten. */
  readonly leftMs: number;
  readonly draining: boolean;
}

/** How often silent instances are looked for. */
const LOOK_MS = 250;

const keyOf = (service: string, id: string): string => `${service}/${id}`;

const kept = ({ service, endpoint, ttlMs }: Instance): KeptInstance => ({ service, endpoint, ttlMs });

export class PushRegistry implements Registry {
  readonly #options: Options;
  readonly #clock: Clock;
  readonly #state: PushState;
  readonly #instances = new Map<string, Instance>();
  readonly #watches = new Map<RegistryListener, Query>();
  readonly #looking: Timer;
  /** Fulfilled when what was known before the restart is known again. */
  readonly #loaded: Promise<void>;

  constructor(options: Options, parts: RegistryParts) {
    this.#options = options;
    this.#clock = parts.clock;
    this.#state = createPushState(parts.stateDir, parts.name, parts.log);
    this.#loaded = this.#load();
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
    this.#instances.set(key, { service, endpoint, ttlMs: ttl, dueMs, draining: false });
    if (
      before !== undefined &&
      JSON.stringify(kept(before)) === JSON.stringify({ service, endpoint, ttlMs: ttl })
    )
      return 'renewed';
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
    this.#instances.set(key, { ...before, endpoint, dueMs, draining: true });
    this.#changed(service);
    return true;
  }

  list(): PushedInstance[] {
    const now = this.#clock.nowMs();
    return [...this.#instances.values()].map(({ service, endpoint, ttlMs, dueMs, draining }) => ({
      service,
      endpoint,
      ttlMs,
      leftMs: Math.max(0, dueMs - now),
      draining,
    }));
  }

  async close(): Promise<void> {
    this.#looking.cancel();
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
      });
  }

  #look(): void {
    const now = this.#clock.nowMs();
    const services = new Set<string>();
    for (const [key, { service, dueMs }] of this.#instances) {
      if (dueMs > now) continue;
      this.#instances.delete(key);
      services.add(service);
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

export const pushKind = registryKind(form, (options, parts) => new PushRegistry(options, parts));
