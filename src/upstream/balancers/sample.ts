/** Draws a usable slot by chance, each as often as its weight says. */
import type { Random } from '../../kernel/random.ts';
import { isUsable, type Slot } from '../slot.ts';

const MIN_TRIES = 8;

export class Sampler {
  readonly #slots: readonly Slot[];
  readonly #random: Random;
  /** More for more slots, since to sum all of them up costs more too. */
  readonly #maxTries: number;
  /** At least the largest weight; weights change while the membership stays. */
  #maxWeight: number;

  constructor(slots: readonly Slot[], random: Random) {
    this.#slots = slots;
    this.#random = random;
    this.#maxTries = Math.max(MIN_TRIES, 2 * Math.ceil(Math.log2(slots.length + 1)));
    this.#maxWeight = slots.reduce((max, slot) => Math.max(max, slot.weight), 0);
  }

  /**
   * A uniform draw is accepted with the probability weight/max: constant time whatever the number of slots.
   * When that fails again and again (most are down, or one is far heavier) all slots are summed up instead.
   */
  draw(tried: readonly Slot[] | null): Slot | null {
    const slots = this.#slots;
    for (let tries = 0; tries < this.#maxTries; tries++) {
      const slot = slots[Math.floor(this.#random.next() * slots.length)];
      if (slot === undefined) return null;
      if (!isUsable(slot, tried)) continue;
      if (slot.weight >= this.#maxWeight) {
        this.#maxWeight = slot.weight;
        return slot;
      }
      if (this.#random.next() * this.#maxWeight < slot.weight) return slot;
    }
    return this.#drawFromAll(tried);
  }

  /**
   * A second slot to compare with, by weight too; the same one only where there is no other. Without that, one of two
   * would get every eighth call, however bad it is: all three draws are the same.
   */
  drawOther(first: Slot, tried: readonly Slot[] | null): Slot {
    let second = this.draw(tried);
    if (second === first) second = this.draw(tried);
    return second === first || second === null ? this.#anyOther(first, tried) : second;
  }

  #anyOther(first: Slot, tried: readonly Slot[] | null): Slot {
    const slots = this.#slots;
    const start = Math.floor(this.#random.next() * slots.length);
    for (let step = 0; step < slots.length; step++) {
      const slot = slots[(start + step) % slots.length]!;
      if (slot !== first && isUsable(slot, tried)) return slot;
    }
    return first;
  }

  #drawFromAll(tried: readonly Slot[] | null): Slot | null {
    let sum = 0;
    this.#maxWeight = 0;
    for (const slot of this.#slots) {
      if (slot.weight > this.#maxWeight) this.#maxWeight = slot.weight;
      if (isUsable(slot, tried)) sum += slot.weight;
    }
    let rest = this.#random.next() * sum;
    let last: Slot | null = null;
    for (const slot of this.#slots) {
      if (!isUsable(slot, tried)) continue;
      last = slot;
      rest -= slot.weight;
      if (rest < 0) break;
    }
    return last;
  }
}
