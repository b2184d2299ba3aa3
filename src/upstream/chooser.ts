/** Who takes the next call: a balancer for each tier, the weights in force, clients that come back, and panic. */
import { isDeepStrictEqual } from 'node:util';
import type { Upstream as UpstreamConfig } from '../config/types.ts';
import { formatPercent } from '../kernel/units.ts';
import type { PluginLogger } from '../plugin.ts';
import type { Balancer, BalancerParts } from './balancers/balancer.ts';
import { createBalancer } from './balancers/catalog.ts';
import type { Panic, Slot } from './slot.ts';
import { Sticky } from './sticky.ts';
import { Tier } from './tier.ts';
import { Tiers } from './tiers.ts';
import { Weights } from './weights.ts';

export type ChooserOptions = Pick<UpstreamConfig, 'name' | 'balance'> &
  Partial<Pick<UpstreamConfig, 'panicBelow' | 'slowStartMs' | 'zone' | 'sticky'>>;

export interface ChooserParts extends BalancerParts {
  readonly log: PluginLogger;
}

/** One for the slots of the own zone, or for all where there are no zones, and one for the others. */
interface Balancers {
  readonly near: Balancer;
  readonly far: Balancer;
}

export class Chooser {
  readonly #parts: ChooserParts;
  readonly #weights: Weights;
  readonly #panic: Panic = { on: false };
  /** Signs where the configuration gives nothing to sign with. */
  readonly #ownSecret: string;
  #options: ChooserOptions;
  #balancers: Balancers;
  #sticky: Sticky | null = null;
  #slots: readonly Slot[] = [];
  #tiers: Tiers;

  constructor(options: ChooserOptions, parts: ChooserParts) {
    this.#parts = parts;
    this.#weights = new Weights(parts.clock);
    this.#ownSecret = Buffer.from(parts.random.bytes(32)).toString('base64');
    this.#options = options;
    this.#balancers = this.#createBalancers();
    this.#tiers = this.#createTiers([]);
  }

  /** The present membership. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  get panicking(): boolean {
    return this.#tiers.look();
  }

  pick(hash: number, tried: readonly Slot[] | null): Slot | null {
    return this.#tiers.pick(hash, tried);
  }

  find(tag: string): Slot | null {
    return this.#sticky === null ? null : this.#sticky.find(tag);
  }

  tagOf(endpoint: string): string | null {
    return this.#sticky === null ? null : this.#sticky.tagOf(endpoint);
  }

  /** Takes over a membership and options; what balancers know of slots that stay outlives both. */
  update(slots: readonly Slot[], options: ChooserOptions): void {
    const sameBalance = isDeepStrictEqual(options.balance, this.#options.balance);
    this.#options = options;
    if (!sameBalance) {
      for (const slot of slots) slot.forgetFeedback();
      this.#balancers = this.#createBalancers();
    }
    this.#tiers = this.#createTiers(slots);
    this.#slots = slots;
    this.#stick();
  }

  /** Gives nobody any more. */
  close(): void {
    this.update([], this.#options);
  }

  #createBalancers(): Balancers {
    const create = () => createBalancer(this.#options.balance, this.#parts);
    return { near: create(), far: create() };
  }

  #createTiers(slots: readonly Slot[]): Tiers {
    const { balance, zone = null, panicBelow = 0, slowStartMs = 0 } = this.#options;
    const { near, far } = this.#balancers;
    const here = zone === null ? slots : slots.filter((slot) => slot.spec.zone === zone);
    const zoned = here.length > 0 && here.length < slots.length;
    const lifting = near.lift === undefined ? [] : zoned ? [near, far] : [near];
    // First, since pickers look at the weights as they are built.
    this.#weights.update(slots, { slowStartMs, balancers: lifting });
    const others = zoned ? slots.filter((slot) => slot.spec.zone !== zone) : [];
    return new Tiers(new Tier(zoned ? here : slots, near), zoned ? new Tier(others, far) : null, {
      panic: this.#panic,
      panicBelow,
      byHash: balance.method === 'hash',
      random: this.#parts.random,
      changed: this.#tellPanic,
    });
  }

  #stick(): void {
    const { name, sticky = null } = this.#options;
    if (sticky === null) this.#sticky = null;
    else {
      const secret = sticky.secret ?? this.#ownSecret;
      if (this.#sticky?.secret !== secret) this.#sticky = new Sticky(name, secret);
      this.#sticky.update(this.#slots);
    }
  }

  readonly #tellPanic = (panic: boolean, availablePart: number): void => {
    const { log } = this.#parts;
    const available = formatPercent(Math.round(availablePart * 100) / 100);
    const about = { upstream: this.#options.name, available };
    if (panic)
      log.warn('too few endpoints are available: failed checks and ejections are not believed', about);
    else log.info('enough endpoints are available again: checks and ejections count', about);
  };
}
