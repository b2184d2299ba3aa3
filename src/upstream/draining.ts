/** Endpoints that were taken away and still have calls to finish. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Slot } from './slot.ts';

/** After this, what is still open is cut; until then a download or a WebSocket goes on undisturbed. */
const DRAIN_MS = 3_600_000;
/** How often they are looked at: counting calls down must not cost the calls anything. */
const LOOK_MS = 1000;

export class Draining {
  readonly #clock: Clock;
  /** When each is cut, monotonic. */
  readonly #dueMs = new Map<Slot, number>();
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Closes the slot's connections once its calls are through; it must get no new ones. */
  add(slot: Slot): void {
    if (slot.inFlight === 0) {
      void slot.transport.close(0);
      return;
    }
    this.#dueMs.set(slot, this.#clock.nowMs() + DRAIN_MS);
    this.#timer ??= this.#clock.every(LOOK_MS, () => this.#look());
  }

  /** Gives those that are left `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const slots = [...this.#dueMs.keys()];
    this.#dueMs.clear();
    this.#stopWhenEmpty();
    await Promise.all(slots.map((slot) => slot.transport.close(graceMs)));
  }

  #look(): void {
    const now = this.#clock.nowMs();
    for (const [slot, dueMs] of this.#dueMs) {
      if (slot.inFlight > 0 && now < dueMs) continue;
      this.#dueMs.delete(slot);
      void slot.transport.close(0);
    }
    this.#stopWhenEmpty();
  }

  #stopWhenEmpty(): void {
    if (this.#dueMs.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
