/** The less busy of two slots drawn by chance: near the best choice, at a constant price. */
import type { Slot } from '../slot.ts';
import type { Balancer, BalancerParts, Picker } from './balancer.ts';
import { Sampler } from './sample.ts';

class LeastRequestPicker implements Picker {
  readonly #sampler: Sampler;

  constructor(sampler: Sampler) {
    this.#sampler = sampler;
  }

  pick(_hash: number, tried: readonly Slot[] | null): Slot | null {
    const first = this.#sampler.draw(tried);
    if (first === null) return null;
    const second = this.#sampler.drawOther(first, tried);
    // Calls per weight, multiplied out. Equally busy: the first, whose odds are exactly its weight.
    return second.inFlight * first.weight < first.inFlight * second.weight ? second : first;
  }
}

/** Two draws by weight, the one with fewer calls in flight for its weight (power of two choices, Mitzenmacher 2001). */
export function createLeastRequest({ random }: BalancerParts): Balancer {
  return { build: (slots) => new LeastRequestPicker(new Sampler(slots, random)) };
}
