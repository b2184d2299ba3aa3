/** One upstream: its endpoints, who takes the next call, and how the membership changes under load. */
import { isDeepStrictEqual } from 'node:util';
import type { ConcurrencyOptions, Resilience } from '../config/resilience-options.ts';
import type { Upstream as UpstreamConfig } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { PluginLogger } from '../plugin.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';
import { Breaker } from './breaker.ts';
import { Chooser, type ChooserOptions } from './chooser.ts';
import { Draining } from './draining.ts';
import { Health, type HealthParts } from './health.ts';
import { Outlier } from './outlier.ts';
import { Places } from './places.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import { RetryBudget } from './retry-budget.ts';
import { type EndpointTransport, Slot, slotKey } from './slot.ts';

export type UpstreamOptions = ChooserOptions &
  Pick<UpstreamConfig, 'retry'> &
  Partial<Resilience> & {
    /** The endpoints to start with; none means that `update` brings them. */
    readonly targets?: readonly EndpointSpec[];
  };

export interface UpstreamParts {
  /** Opens what carries calls to one endpoint; a throw refuses the whole change. */
  readonly open: (spec: EndpointSpec) => EndpointTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** Why there is no endpoint at all, for the log. */
  readonly whyEmpty?: () => string;
  readonly log: PluginLogger;
  /** Needed where `health` is set. */
  readonly probe?: HealthParts['probe'];
}

export interface Upstream {
  readonly name: string;
  readonly options: UpstreamOptions;
  /** Present endpoints, in the order of the configuration or registry. */
  readonly slots: readonly Slot[];
  readonly budget: RetryBudget;
  /** Told of the start and the end of each attempt. */
  readonly places: Places;
  /** Calls that were sent a second time while the first was out, and those of them that were faster; since the start. */
  readonly hedges: { sent: number; won: number };
  /** True while so few are available that checks and ejections are not believed. */
  readonly panicking: boolean;
  /** True while the breaker lets calls through and an endpoint with weight is thought to be well, though full. */
  readonly usable: boolean;
  /** Each is null while it is switched off. */
  readonly breaker: Breaker | null;
  readonly outlier: Outlier | null;
  readonly health: Health | null;
  /**
   * The slot for the next call, null when none may take it. Where too many count as broken, that is not believed,
   * and where all do, a chance is better than none.
   */
  pick(hash: number, tried: readonly Slot[] | null): Slot | null;
  /** Why `pick` gave none, for the log. */
  whyNone(): string;
  /** The slot that a tag names, if that can take a call now; null also where clients do not stick. */
  find(tag: string): Slot | null;
  /** What names an endpoint (`host:port`) to its clients; null where clients do not stick. */
  tagOf(endpoint: string): string | null;
  /** Tells that a slot could not be connected to: it is passed over for a second. */
  refused(slot: Slot): void;
  /**
   * Changes membership, weights and options at once. Endpoints that stay keep their connections and live
   * state; those that are gone drain. If an endpoint cannot be opened nothing changes and the error is thrown.
   */
  update(specs: readonly EndpointSpec[], options?: UpstreamOptions): void;
  /** Takes no new calls, lets those in flight finish for `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

const UNLIMITED: ConcurrencyOptions = Object.freeze({
  endpoint: Number.POSITIVE_INFINITY,
  upstream: null,
  adaptive: null,
  streams: Number.POSITIVE_INFINITY,
  queue: 0,
  queueTimeoutMs: 0,
});

class LiveUpstream implements Upstream {
  readonly name: string;
  readonly budget: RetryBudget;
  readonly places: Places;
  readonly hedges = { sent: 0, won: 0 };
  readonly #parts: UpstreamParts;
  readonly #refusals: Refusals;
  readonly #draining: Draining;
  readonly #chooser: Chooser;
  #breaker: Breaker | null = null;
  #outlier: Outlier | null = null;
  #health: Health | null = null;
  #options: UpstreamOptions;

  constructor(options: UpstreamOptions, parts: UpstreamParts) {
    this.name = options.name;
    this.budget = new RetryBudget(options.retry.budget, parts.clock);
    this.#parts = parts;
    this.#refusals = createRefusals(parts.clock);
    this.#draining = new Draining(parts.clock);
    this.#options = options;
    this.#chooser = new Chooser(options, parts);
    const slots = () => this.slots;
    this.places = new Places(options.concurrency ?? UNLIMITED, {
      clock: parts.clock,
      random: parts.random,
      slots,
    });
    this.#setKeepers(options);
    if (options.targets !== undefined) this.update(options.targets);
  }

  get options(): UpstreamOptions {
    return this.#options;
  }

  get breaker(): Breaker | null {
    return this.#breaker;
  }

  get outlier(): Outlier | null {
    return this.#outlier;
  }

  get panicking(): boolean {
    return this.#chooser.panicking;
  }

  get health(): Health | null {
    return this.#health;
  }

  get slots(): readonly Slot[] {
    return this.#chooser.slots;
  }

  get usable(): boolean {
    if (this.#breaker?.phase === 'open') return false;
    return this.#chooser.slots.some((slot) => slot.available && slot.weight > 0);
  }

  pick(hash: number, tried: readonly Slot[] | null): Slot | null {
    return this.places.full ? null : this.#chooser.pick(hash, tried);
  }

  whyNone(): string {
    const count = this.#chooser.slots.length;
    if (count > 0) return `${this.name}: none of its endpoints (${count}) can be used`;
    return `${this.name}: ${this.#parts.whyEmpty?.() ?? 'it has no endpoint'}`;
  }

  find(tag: string): Slot | null {
    return this.places.full ? null : this.#chooser.find(tag);
  }

  tagOf(endpoint: string): string | null {
    return this.#chooser.tagOf(endpoint);
  }

  refused(slot: Slot): void {
    // The attempt may be of an endpoint that has been taken away since.
    if (this.#chooser.slots.includes(slot)) this.#refusals.note(slot);
  }

  update(specs: readonly EndpointSpec[], options: UpstreamOptions = this.#options): void {
    const before = this.#chooser.slots;
    const slots = this.#assemble(specs);
    this.#options = options;
    this.budget.ratio = options.retry.budget;
    this.#chooser.update(slots, options);
    this.#setKeepers(options);
    const staying = new Set(slots);
    for (const slot of before) if (!staying.has(slot)) this.#drain(slot);
    this.#outlier?.changed();
    this.#health?.update(slots);
    this.places.update(options.concurrency ?? UNLIMITED);
  }

  async close(graceMs: number): Promise<void> {
    const { slots } = this.#chooser;
    this.#chooser.close();
    this.#refusals.clear();
    this.#setKeepers({});
    this.places.close();
    const closing = slots.map((slot) => slot.transport.close(graceMs));
    await Promise.all([...closing, this.#draining.close(graceMs)]);
  }

  /** What has other settings than before begins anew. */
  #setKeepers({ breaker = null, outlier = null, health = null }: Partial<Resilience>): void {
    const { name } = this;
    const { clock, random, log } = this.#parts;
    if (!isDeepStrictEqual(breaker, this.#breaker?.options ?? null)) {
      this.#breaker?.close();
      this.#breaker = breaker && new Breaker(breaker, { name, clock, log });
    }
    if (!isDeepStrictEqual(outlier, this.#outlier?.options ?? null)) {
      this.#outlier?.close();
      const slots = () => this.#chooser.slots;
      this.#outlier = outlier && new Outlier(outlier, { name, clock, random, log, slots });
    }
    if (!isDeepStrictEqual(health, this.#health?.options ?? null)) {
      this.#health?.close();
      const recovered = (slot: Slot) => this.#outlier?.pardon(slot);
      const probe = this.#parts.probe!;
      this.#health = health && new Health(health, { name, clock, random, log, probe, recovered });
      // Without checks nobody would ever find them healthy again.
      if (health === null) for (const slot of this.#chooser.slots) slot.keepOut('unhealthy', false);
    }
  }

  /** The slots of the specs, those that are there already reused; an endpoint named twice counts once. */
  #assemble(specs: readonly EndpointSpec[]): Slot[] {
    const present = new Map(this.#chooser.slots.map((slot) => [slotKey(slot.spec), slot]));
    const wanted = new Map<string, Slot>();
    const opened: Slot[] = [];
    try {
      for (const spec of specs) {
        const key = slotKey(spec);
        if (wanted.has(key)) continue;
        const slot = present.get(key) ?? new Slot(this.name, spec, this.#parts.open(spec));
        if (!present.has(key)) opened.push(slot);
        wanted.set(key, slot);
      }
    } catch (error) {
      for (const slot of opened) this.#drain(slot);
      throw error;
    }
    // Nothing can fail any more: now those that stay take their new weights.
    for (const spec of specs.toReversed()) wanted.get(slotKey(spec))!.spec = spec;
    return [...wanted.values()];
  }

  #drain(slot: Slot): void {
    this.#refusals.forget(slot);
    this.#draining.add(slot);
  }
}

/** Makes an upstream; `options` may be its part of the configuration as it is. */
export function createUpstream(options: UpstreamOptions, parts: UpstreamParts): Upstream {
  return new LiveUpstream(options, parts);
}
