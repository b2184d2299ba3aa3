/** Some slots that are chosen among together, with how much of them is available. */
import type { Balancer, Picker } from './balancers/balancer.ts';
import type { Slot } from './slot.ts';

export class Tier {
  readonly slots: readonly Slot[];
  readonly #picker: Picker;
  /** Static weight of all slots, and of those that are available, as of the last count. */
  #weight = 0;
  #available = 0;
  #picksToCount = 0;

  constructor(slots: readonly Slot[], balancer: Balancer) {
    this.slots = slots;
    this.#picker = balancer.build(slots);
  }

  get weight(): number {
    return this.#weight;
  }

  get available(): number {
    return this.#available;
  }

  /**
   * Brings the two sums up to date. They are counted anew every few picks, so that a pick pays for eight slots at
   * most, however many there are; up to 15 slots they are never out of date.
   */
  count(): void {
    if (--this.#picksToCount > 0) return;
    this.#picksToCount = this.slots.length >> 3;
    let weight = 0;
    let available = 0;
    for (const slot of this.slots) {
      weight += slot.spec.weight;
      if (slot.available) available += slot.spec.weight;
    }
    this.#weight = weight;
    this.#available = available;
  }

  pick(hash: number, tried: readonly Slot[] | null): Slot | null {
    return this.#picker.pick(hash, tried);
  }
}
