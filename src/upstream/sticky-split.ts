/** Shares calls out by a key: the same key goes the same way in every gateway, and the weights hold over many keys. */
import { hashText, mix32 } from '../kernel/hash.ts';

export interface StickySplit<T> {
  /** The choice of a key. */
  of(key: string): T;
}

export interface StickyEntry<T> {
  /** Tells the choices apart, in every process alike. */
  readonly name: string;
  readonly weight: number;
  readonly value: T;
}

/**
 * Makes a split by weighted rendezvous hashing (Thaler and Ravishankar, 1998; with weights by the logarithmic method
 * of Schindelhauer and Schomaker, 2005): each key draws a number for each choice, and the least number over its
 * weight wins. A change of weights moves only the keys that the change is about; from 5 % to 10 %, those who were
 * among the 5 % stay.
 * @throws RangeError when no weight is above 0
 */
export function createStickySplit<T>(entries: readonly StickyEntry<T>[]): StickySplit<T> {
  const choices = entries
    .filter(({ weight }) => weight > 0)
    .map(({ name, weight, value }) => ({ seed: hashText(name), weight, value }));
  if (choices.length === 0) throw new RangeError('a split needs a weight above 0');
  return {
    of(key) {
      const hash = hashText(key);
      let best = choices[0]!;
      let least = Number.POSITIVE_INFINITY;
      for (const choice of choices) {
        // Strictly between 0 and 1, so that the logarithm is finite and not 0.
        const draw = (mix32(hash ^ choice.seed) + 0.5) / 2 ** 32;
        const score = -Math.log(draw) / choice.weight;
        if (score >= least) continue;
        least = score;
        best = choice;
      }
      return best.value;
    },
  };
}
