/** One upstream: its endpoints, who takes the next call, and how the membership changes under load. */
import { isDeepStrictEqual } from 'node:util';
import type { Upstream as UpstreamConfig } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';
import type { Balancer, Picker } from './balancers/balancer.ts';
import { createBalancer } from './balancers/catalog.ts';
import { Draining } from './draining.ts';
import { createRefusals, type Refusals } from './refusals.ts';
import { RetryBudget } from './retry-budget.ts';
import { type EndpointTransport, Slot, slotKey } from './slot.ts';

export type UpstreamOptions = Pick<UpstreamConfig, 'name' | 'balance' | 'retry'> & {
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
}

export interface Upstream {
  readonly name: string;
  readonly options: UpstreamOptions;
  /** Present endpoints, in the order of the configuration or registry. */
  readonly slots: readonly Slot[];
  readonly budget: RetryBudget;
  /**
   * The slot for the next call, null when none may take it. Where every endpoint counts as broken, that is
   * ignored: a chance is better than none.
   */
  pick(hash: number, tried: readonly Slot[] | null): Slot | null;
  /** Why `pick` gave none, for the log. */
  whyNone(): string;
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

/** The slots and the picker over them, always of one membership. */
interface Membership {
  readonly slots: readonly Slot[];
  readonly picker: Picker;
}

class LiveUpstream implements Upstream {
  readonly name: string;
  readonly budget: RetryBudget;
  readonly #parts: UpstreamParts;
  readonly #refusals: Refusals;
  readonly #draining: Draining;
  #options: UpstreamOptions;
  #balancer: Balancer;
  #members: Membership;
  #turn = 0;

  constructor(options: UpstreamOptions, parts: UpstreamParts) {
    this.name = options.name;
    this.budget = new RetryBudget(options.retry.budget, parts.clock);
    this.#parts = parts;
    this.#refusals = createRefusals(parts.clock);
    this.#draining = new Draining(parts.clock);
    this.#options = options;
    this.#balancer = createBalancer(options.balance, parts);
    this.#members = { slots: [], picker: this.#balancer.build([]) };
    if (options.targets !== undefined) this.update(options.targets);
  }

  get options(): UpstreamOptions {
    return this.#options;
  }

  get slots(): readonly Slot[] {
    return this.#members.slots;
  }

  pick(hash: number, tried: readonly Slot[] | null): Slot | null {
    return this.#members.picker.pick(hash, tried) ?? this.#panic(tried);
  }

  whyNone(): string {
    const count = this.#members.slots.length;
    if (count > 0) return `${this.name}: none of its endpoints (${count}) can be used`;
    return `${this.name}: ${this.#parts.whyEmpty?.() ?? 'it has no endpoint'}`;
  }

  refused(slot: Slot): void {
    // The attempt may be of an endpoint that has been taken away since.
    if (this.#members.slots.includes(slot)) this.#refusals.note(slot);
  }

  update(specs: readonly EndpointSpec[], options: UpstreamOptions = this.#options): void {
    const before = this.#members.slots;
    const slots = this.#assemble(specs);
    if (!isDeepStrictEqual(options.balance, this.#options.balance)) {
      for (const slot of slots) slot.feedback = null;
      this.#balancer = createBalancer(options.balance, this.#parts);
    }
    this.#options = options;
    this.budget.ratio = options.retry.budget;
    this.#members = { slots, picker: this.#balancer.build(slots) };
    const staying = new Set(slots);
    for (const slot of before) if (!staying.has(slot)) this.#drain(slot);
  }

  async close(graceMs: number): Promise<void> {
    const { slots } = this.#members;
    this.#members = { slots: [], picker: this.#balancer.build([]) };
    this.#refusals.clear();
    const closing = slots.map((slot) => slot.transport.close(graceMs));
    await Promise.all([...closing, this.#draining.close(graceMs)]);
  }

  /** The slots of the specs, those that are there already reused; an endpoint named twice counts once. */
  #assemble(specs: readonly EndpointSpec[]): Slot[] {
    const present = new Map(this.#members.slots.map((slot) => [slotKey(slot.spec), slot]));
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
    for (const spec of specs.toReversed()) {
      const slot = wanted.get(slotKey(spec))!;
      slot.spec = spec;
      slot.weight = spec.weight;
    }
    return [...wanted.values()];
  }

  #drain(slot: Slot): void {
    this.#refusals.forget(slot);
    this.#draining.add(slot);
  }

  /** Only when nobody is available: any slot with weight, in turn, that is not full and not tried. */
  #panic(tried: readonly Slot[] | null): Slot | null {
    const { slots } = this.#members;
    for (const slot of slots) if (slot.available && slot.weight > 0) return null;
    const start = this.#turn++;
    for (let step = 0; step < slots.length; step++) {
      const slot = slots[(start + step) % slots.length]!;
      if (slot.weight > 0 && !slot.full && (tried === null || !tried.includes(slot))) return slot;
    }
    return null;
  }
}

/** Makes an upstream; `options` may be its part of the configuration as it is. */
export function createUpstream(options: UpstreamOptions, parts: UpstreamParts): Upstream {
  return new LiveUpstream(options, parts);
}
