/** The seam of balancers: from the slots of an upstream to the one that takes the next call. */
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { Slot } from '../slot.ts';

export interface BalancerParts {
  readonly random: Random;
  readonly clock: Clock;
}

export interface Picker {
  /**
   * The slot for the next call, or null when none may take it.
   * @param hash for balancers that hash; the others ignore it
   * @param tried slots to pass over, which this call has tried already
   */
  pick(hash: number, tried: readonly Slot[] | null): Slot | null;
}

/** Belongs to one upstream; what it remembers of a slot survives from build to build. */
export interface Balancer {
  /** Makes the picker of a new membership; the picker of the build before must not be used any more. */
  build(slots: readonly Slot[]): Picker;
  /** Where weights follow the load: sets the lift of each slot. Called twice a second. */
  lift?(): void;
}
