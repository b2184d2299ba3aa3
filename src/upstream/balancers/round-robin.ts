/** In turn by weight: the smooth algorithm for few slots, a heap of deadlines for many. */
import type { Random } from '../../kernel/random.ts';
import { isUsable, type Slot } from '../slot.ts';
import { smoothTurn } from '../smooth.ts';
import type { Balancer, BalancerParts, Picker } from './balancer.ts';
import { type DeadlineCarry, DeadlinePicker } from './deadlines.ts';

/** A smooth turn looks at every slot, so its cost grows with them; from here on the heap is cheaper. */
const SMOOTH_SLOTS = 64;

class SmoothPicker implements Picker {
  readonly #slots: readonly Slot[];
  readonly #weights: Float64Array;
  readonly #currents: Float64Array;
  /** Sum of all weights that the currents are measured by. */
  #sum: number;

  constructor(slots: readonly Slot[], before: SmoothPicker | null) {
    this.#slots = slots;
    this.#weights = new Float64Array(slots.length);
    this.#currents = new Float64Array(slots.length);
    this.#sum = 0;
    if (before !== null) this.#inherit(before);
  }

  pick(_hash: number, tried: readonly Slot[] | null): Slot | null {
    const slots = this.#slots;
    const weights = this.#weights;
    let sum = 0;
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]!;
      const usable = isUsable(slot, tried);
      weights[at] = usable ? slot.weight : 0;
      sum += slot.weight;
    }
    if (sum !== this.#sum) this.#measureBy(sum);
    const best = smoothTurn(weights, this.#currents);
    return best < 0 ? null : slots[best]!;
  }

  /**
   * A current divided by the sum of the weights is the part of a call that a slot is owed. Keeping that while
   * the weights change is what makes a change smooth: 1000:1 becoming 1:1 must not be paid off in 500 calls.
   */
  #measureBy(sum: number): void {
    const factor = this.#sum > 0 ? sum / this.#sum : 0;
    const whole = Number.isInteger(sum);
    const currents = this.#currents;
    for (let at = 0; at < currents.length; at++) {
      const current = currents[at]! * factor;
      // Whole numbers keep whole weights free of drift.
      currents[at] = whole ? Math.round(current) : current;
    }
    this.#sum = sum;
  }

  /**
   * Takes over what staying slots are owed. Newcomers begin at 0. What the gone were owed or owe moves the others
   * by less than a round, since whoever is far ahead is picked and whoever is far behind is not.
   */
  #inherit(before: SmoothPicker): void {
    const owed = new Map<Slot, number>();
    for (let at = 0; at < before.#slots.length; at++) owed.set(before.#slots[at]!, before.#currents[at]!);
    for (let at = 0; at < this.#slots.length; at++) this.#currents[at] = owed.get(this.#slots[at]!) ?? 0;
    this.#sum = before.#sum;
  }
}

class RoundRobin implements Balancer {
  readonly #random: Random;
  #smooth: SmoothPicker | null = null;
  #deadlines: DeadlineCarry | null = null;

  constructor(random: Random) {
    this.#random = random;
  }

  build(slots: readonly Slot[]): Picker {
    if (slots.length > SMOOTH_SLOTS) {
      const picker = new DeadlinePicker(slots, this.#random, this.#deadlines);
      this.#deadlines = picker;
      this.#smooth = null;
      return picker;
    }
    this.#smooth = new SmoothPicker(slots, this.#smooth);
    this.#deadlines = null;
    return this.#smooth;
  }
}

/** Exactly nginx's interleaving up to 64 slots; above, each slot's share of any stretch of calls is within two. */
export function createRoundRobin({ random }: BalancerParts): Balancer {
  return new RoundRobin(random);
}
