/** Weighted turns among many slots: the earliest deadline in a heap takes the call. */
import type { Random } from '../../kernel/random.ts';
import { isUsable, type Slot } from '../slot.ts';
import type { Picker } from './balancer.ts';

/** Slots at the top that cannot take the call before the whole heap is looked through instead. */
const MAX_SKIPS = 16;

class Turn {
  readonly slot: Slot;
  /** In virtual time: a slot of weight w comes up every 1/w. */
  due: number;
  /** The weight that `due` was reckoned with. */
  weight: number;

  constructor(slot: Slot, due: number, weight: number) {
    this.slot = slot;
    this.due = due;
    this.weight = weight;
  }
}

/** What a picker leaves to its successor. */
export interface DeadlineCarry {
  /** The part of its turn that a slot still has to wait, or null for one that is not here. */
  waits(): Map<Slot, number>;
}

export class DeadlinePicker implements Picker, DeadlineCarry {
  readonly #heap: Turn[] = [];
  readonly #meanWeight: number;
  #now = 0;

  /** Newcomers wait a random part of a turn, so that neither they nor several gateways come in a burst. */
  constructor(slots: readonly Slot[], random: Random, before: DeadlineCarry | null) {
    const waits = before === null ? null : before.waits();
    let sum = 0;
    for (const slot of slots) sum += slot.weight;
    this.#meanWeight = sum > 0 ? sum / slots.length : 1;
    for (const slot of slots) {
      const weight = this.#weightOf(slot);
      this.#heap.push(new Turn(slot, (waits?.get(slot) ?? random.next()) / weight, weight));
    }
    this.#heap.sort((a, b) => a.due - b.due);
  }

  pick(_hash: number, tried: readonly Slot[] | null): Slot | null {
    for (let skips = 0; skips < MAX_SKIPS; skips++) {
      const top = this.#heap[0];
      if (top === undefined) return null;
      if (isUsable(top.slot, tried)) return this.#take(0);
      // It loses this turn; kept for later, turns would come back in one burst.
      this.#postpone(0);
    }
    return this.#search(tried);
  }

  waits(): Map<Slot, number> {
    const waits = new Map<Slot, number>();
    for (const turn of this.#heap) waits.set(turn.slot, Math.max(0, turn.due - this.#now) * turn.weight);
    return waits;
  }

  #search(tried: readonly Slot[] | null): Slot | null {
    let best = -1;
    for (let at = 0; at < this.#heap.length; at++) {
      const turn = this.#heap[at]!;
      if (isUsable(turn.slot, tried) && (best < 0 || turn.due < this.#heap[best]!.due)) best = at;
    }
    return best < 0 ? null : this.#take(best);
  }

  #take(at: number): Slot {
    const turn = this.#heap[at]!;
    if (turn.due > this.#now) this.#now = turn.due;
    this.#postpone(at);
    return turn.slot;
  }

  /** Slots without weight come by at the mean pace, so that a weight given to them later is seen soon. */
  #weightOf(slot: Slot): number {
    return slot.weight > 0 ? slot.weight : this.#meanWeight;
  }

  #postpone(at: number): void {
    const turn = this.#heap[at]!;
    turn.weight = this.#weightOf(turn.slot);
    turn.due = Math.max(turn.due, this.#now) + 1 / turn.weight;
    this.#sink(at);
  }

  /** Restores the heap below an entry whose deadline moved back. */
  #sink(from: number): void {
    const heap = this.#heap;
    const turn = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.due < heap[child]!.due) child++;
      if (heap[child]!.due >= turn.due) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = turn;
  }
}
