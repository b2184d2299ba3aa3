/** Shares calls out over a few choices by weight, as evenly spread as can be. */
import { smoothTurn } from './smooth.ts';

export interface Split<T> {
  next(): T;
}

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
    return { next: () => only };
  }
  const currents = new Float64Array(values.length);
  return { next: () => values[smoothTurn(weights, currents)]! };
}
