/** The same key always to the same slot, as long as that can take it. */
import { isUsable, type Slot, slotKey } from '../slot.ts';
import type { Balancer, Picker } from './balancer.ts';
import { maglevTable, placeOf, TABLE_SIZE } from './maglev.ts';

/** Places of the table that are looked at for a key whose own slot cannot take it, before all slots are looked through. */
const MAX_STEPS = 32;
/** Calls in flight that a slot may always have: among few calls, two of one key are no overload. */
const MIN_CAP = 8;

class HashPicker implements Picker {
  readonly #slots: readonly Slot[];
  readonly #table: Int32Array | null;
  readonly #maxLoad: number | null;
  /** Calls in flight per unit of weight, as of the last count. */
  #meanLoad = 0;
  #picksToCount = 0;

  constructor(slots: readonly Slot[], table: Int32Array | null, maxLoad: number | null) {
    this.#slots = slots;
    this.#table = table;
    this.#maxLoad = maxLoad;
  }

  /**
   * A slot that is away keeps its places, and a key that finds it there goes on to the next place: so when it is back
   * its keys are too, and no other key has moved.
   */
  pick(hash: number, tried: readonly Slot[] | null): Slot | null {
    const table = this.#table;
    if (table === null) return null;
    this.#count();
    const start = placeOf(hash);
    let spare: Slot | null = null;
    for (let step = 0; step < MAX_STEPS; step++) {
      const slot = this.#slots[table[(start + step) % TABLE_SIZE]!]!;
      if (!isUsable(slot, tried)) continue;
      if (this.#hasRoom(slot)) return slot;
      spare ??= slot;
    }
    return spare ?? this.#search(start, tried);
  }

  #search(start: number, tried: readonly Slot[] | null): Slot | null {
    const slots = this.#slots;
    for (let step = 0; step < slots.length; step++) {
      const slot = slots[(start + step) % slots.length]!;
      if (isUsable(slot, tried)) return slot;
    }
    return null;
  }

  /** Bounded load (Mirrokni, Thorup and Zadimoghaddam 2018): no slot takes more than so many times the mean. */
  #hasRoom(slot: Slot): boolean {
    if (this.#maxLoad === null || slot.inFlight < MIN_CAP) return true;
    return slot.inFlight + 1 <= this.#maxLoad * this.#meanLoad * slot.weight;
  }

  /** Counts anew every few picks, so that a pick pays for eight slots at most, however many there are. */
  #count(): void {
    if (this.#maxLoad === null || --this.#picksToCount > 0) return;
    this.#picksToCount = this.#slots.length >> 3;
    let weight = 0;
    let inFlight = 1;
    for (const slot of this.#slots) {
      if (!isUsable(slot, null)) continue;
      weight += slot.weight;
      inFlight += slot.inFlight;
    }
    this.#meanLoad = weight > 0 ? inFlight / weight : 0;
  }
}

class Hash implements Balancer {
  readonly #maxLoad: number | null;
  #members = '';
  #table: Int32Array | null = null;

  constructor(maxLoad: number | null) {
    this.#maxLoad = maxLoad;
  }

  build(slots: readonly Slot[]): Picker {
    const members = slots.map(({ spec }) => `${slotKey(spec)} ${spec.weight}`).join();
    // A table takes ten milliseconds, which a reload that changes nothing of it need not cost.
    if (members !== this.#members) {
      this.#table = maglevTable(slots.map(({ spec }) => spec));
      this.#members = members;
    }
    return new HashPicker(slots, this.#table, this.#maxLoad);
  }
}

/**
 * Maglev over the static weights.
 * @param maxLoad most calls in flight at one slot, as a multiple of the mean; null for no bound
 */
export function createHash(maxLoad: number | null): Balancer {
  return new Hash(maxLoad);
}
