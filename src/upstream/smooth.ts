/** The smooth weighted round robin of nginx, over plain numbers. */

/**
 * One turn: everyone gains its weight, the richest is chosen and pays the sum; of equals the first.
 * `{5, 1, 1}` gives a a b a c a a. Whoever has no weight now neither gains nor is chosen, and keeps what it has.
 * @param weights 0 or more, of this turn
 * @param currents what each has gained and not yet spent; changed in place
 * @returns the index of the chosen, -1 when no weight is above 0
 */
export function smoothTurn(weights: Float64Array, currents: Float64Array): number {
  let best = -1;
  let bestCurrent = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let at = 0; at < weights.length; at++) {
    const weight = weights[at]!;
    if (weight <= 0) continue;
    sum += weight;
    const current = currents[at]! + weight;
    currents[at] = current;
    if (current > bestCurrent) {
      best = at;
      bestCurrent = current;
    }
  }
  if (best >= 0) currents[best] = bestCurrent - sum;
  return best;
}
