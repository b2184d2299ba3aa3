/** Shares calls out over a few choices by weight, as evenly spread as can be. */
import { smoothTurn } from './smooth.ts';

export interface Split<T> {
  next(): T;
  /**
   * Goes on from where another split stood: what each choice had gained stays with it, in proportion to the new
   * weights. New choices start with nothing.
   */
  follow(before: Split<T>, same: (a: T, b: T) => boolean): void;
}

class SmoothSplit<T> implements Split<T> {
  readonly #values: readonly T[];
  readonly #weights: Float64Array;
  readonly #currents: Float64Array;

  constructor(values: readonly T[], weights: Float64Array) {
    this.#values = values;
    this.#weights = weights;
    this.#currents = new Float64Array(values.length);
  }

  next(): T {
    return this.#values[smoothTurn(this.#weights, this.#currents)]!;
  }

  follow(before: Split<T>, same: (a: T, b: T) => boolean): void {
    if (!(before instanceof SmoothSplit)) return;
    const scale = sum(this.#weights) / sum(before.#weights);
    for (const [at, value] of this.#values.entries()) {
      const was = before.#values.findIndex((other: T) => same(other, value));
      if (was !== -1) this.#currents[at] = before.#currents[was]! * scale;
    }
  }
}

const sum = (weights: Float64Array) => weights.reduce((total, weight) => total + weight, 0);

/**
 * Makes a split with the smooth weighted round robin that endpoints are picked by.
 * @throws RangeError when no weight is above 0
 */
export function createSplit<T>(entries: readonly { readonly weight: number; readonly value: T }[]): Split<T> {
  const weights = Float64Array.from(entries, (entry) => entry.weight);
  const values = entries.map((entry) => entry.value);
  if (!weights.some((weight) => weight > 0)) throw new RangeError('a split needs a weight above 0');
  if (values.length === 1) {
    const only = values[0]!;
    return { next: () => only, follow: () => undefined };
  }
  return new SmoothSplit(values, weights);
}
