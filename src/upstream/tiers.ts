/** Where the next call goes before a balancer is asked: the own zone or the others, the available or, in panic, all. */
import { mix32 } from '../kernel/hash.ts';
import type { Random } from '../kernel/random.ts';
import type { Panic, Slot } from './slot.ts';
import type { Tier } from './tier.ts';

/**
 * A zone with this part of its weight available still carries its whole load (Envoy's over-provisioning factor of
 * 140 %); with less, calls spill over in proportion.
 */
const ENOUGH = 0.7;

export interface TiersOptions {
  /** Outlives changes of membership. */
  readonly panic: Panic;
  /** Below this part of the weight, checks and ejections are not believed any more. */
  readonly panicBelow: number;
  /** True where the same hash must go to the same tier. */
  readonly byHash: boolean;
  readonly random: Random;
  /** Told when panic begins or ends, with the part of the weight that is available. */
  readonly changed: (panic: boolean, availablePart: number) => void;
}

export class Tiers {
  readonly #near: Tier;
  /** Null where all slots are as near as each other. */
  readonly #far: Tier | null;
  readonly #options: TiersOptions;
  #turn = 0;

  constructor(near: Tier, far: Tier | null, options: TiersOptions) {
    this.#near = near;
    this.#far = far;
    this.#options = options;
    for (const slot of near.slots) slot.panic = options.panic;
    for (const slot of far?.slots ?? []) slot.panic = options.panic;
  }

  pick(hash: number, tried: readonly Slot[] | null): Slot | null {
    const near = this.#near;
    const far = this.#far;
    this.look();
    if (far === null) return near.pick(hash, tried) ?? this.#anyOf(near, tried);
    const first = this.#prefersNear(near, far, hash) ? near : far;
    const second = first === near ? far : near;
    const slot = first.pick(hash, tried) ?? second.pick(hash, tried);
    return slot ?? this.#anyOf(first, tried) ?? this.#anyOf(second, tried);
  }

  /** Sets panic by how many are available; gives whether it is on. */
  look(): boolean {
    this.#near.count();
    this.#far?.count();
    let { weight, available } = this.#near;
    if (this.#far !== null) {
      weight += this.#far.weight;
      available += this.#far.available;
    }
    const panic = available < this.#options.panicBelow * weight;
    const { panic: now, changed } = this.#options;
    if (panic !== now.on) {
      now.on = panic;
      changed(panic, weight === 0 ? 1 : available / weight);
    }
    return panic;
  }

  #prefersNear(near: Tier, far: Tier, hash: number): boolean {
    const share = nearShare(near, far);
    if (share >= 1) return true;
    const draw = this.#options.byHash ? mix32(hash ^ 0x9e3779b9) / 2 ** 32 : this.#options.random.next();
    return draw < share;
  }

  /** Only when nobody of the tier is available: any slot with weight, in turn, that is not full and not tried. */
  #anyOf({ slots }: Tier, tried: readonly Slot[] | null): Slot | null {
    for (const slot of slots) if (slot.available && slot.weight > 0) return null;
    const start = this.#turn++;
    for (let step = 0; step < slots.length; step++) {
      const slot = slots[(start + step) % slots.length]!;
      if (slot.weight > 0 && !slot.full && (tried === null || !tried.includes(slot))) return slot;
    }
    return null;
  }
}

const capacity = (tier: Tier) => (tier.weight === 0 ? 0 : Math.min(1, tier.available / tier.weight / ENOUGH));

/** The part of the calls that stays near, 0 to 1: what the zone can carry, and what nobody else can. */
function nearShare(near: Tier, far: Tier): number {
  const own = capacity(near);
  if (own >= 1) return 1;
  const others = Math.min(1 - own, capacity(far));
  return own + others === 0 ? 1 : own / (own + others);
}
