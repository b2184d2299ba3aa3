/** By chance and weight: no memory, so many gateways never fall into step. */
import type { Slot } from '../slot.ts';
import type { Balancer, BalancerParts, Picker } from './balancer.ts';
import { Sampler } from './sample.ts';

class RandomPicker implements Picker {
  readonly #sampler: Sampler;

  constructor(sampler: Sampler) {
    this.#sampler = sampler;
  }

  pick(_hash: number, tried: readonly Slot[] | null): Slot | null {
    return this.#sampler.draw(tried);
  }
}

/** Each slot as often as its weight says, in no order. */
export function createRandom({ random }: BalancerParts): Balancer {
  return { build: (slots) => new RandomPicker(new Sampler(slots, random)) };
}
