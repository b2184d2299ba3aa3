/** The weights in force: the static ones, less while an endpoint is new, more or less as its load allows. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Balancer } from './balancers/balancer.ts';
import type { Slot } from './slot.ts';

/** How often weights are set anew. */
const TICK_MS = 500;
/** What an endpoint has from its first moment: without calls it would never be warm. */
const COLD = 0.1;

export interface WeightsOptions {
  /** How long a new endpoint takes to its whole share; 0: none. */
  readonly slowStartMs: number;
  /** Those whose weights follow the load. */
  readonly balancers: readonly Balancer[];
}

export class Weights {
  readonly #clock: Clock;
  #slots: readonly Slot[] = [];
  #options: WeightsOptions = { slowStartMs: 0, balancers: [] };
  /** Monotonic, when a slot that is not warm yet was first, or again, of use. */
  readonly #coldSinceMs = new Map<Slot, number>();
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes over a membership. The first of an upstream is warm: there is nobody else to take the load meanwhile. */
  update(slots: readonly Slot[], options: WeightsOptions): void {
    const before = new Set(this.#slots);
    const staying = new Set(slots);
    for (const slot of this.#coldSinceMs.keys()) if (!staying.has(slot)) this.#coldSinceMs.delete(slot);
    if (options.slowStartMs === 0) this.#coldSinceMs.clear();
    else if (before.size > 0)
      for (const slot of slots) if (!before.has(slot)) this.#coldSinceMs.set(slot, this.#clock.nowMs());
    this.#slots = slots;
    this.#options = options;
    this.#set();
    const wanted = slots.length > 0 && (options.slowStartMs > 0 || options.balancers.length > 0);
    if (wanted) this.#timer ??= this.#clock.every(TICK_MS, () => this.#tick());
    else this.close();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #tick(): void {
    for (const balancer of this.#options.balancers) balancer.lift?.();
    // Whoever was away comes back cold: most often it has been restarted.
    if (this.#options.slowStartMs > 0)
      for (const slot of this.#slots) if (!slot.available) this.#coldSinceMs.set(slot, this.#clock.nowMs());
    this.#set();
  }

  #set(): void {
    const nowMs = this.#clock.nowMs();
    for (const slot of this.#slots) slot.weight = slot.spec.weight * slot.lift * this.#warmth(slot, nowMs);
  }

  #warmth(slot: Slot, nowMs: number): number {
    const since = this.#coldSinceMs.get(slot);
    if (since === undefined) return 1;
    const part = (nowMs - since) / this.#options.slowStartMs;
    if (part >= 1) this.#coldSinceMs.delete(slot);
    return Math.min(1, Math.max(COLD, part));
  }
}
