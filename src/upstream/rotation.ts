/** One timer for all rolling windows of the same grain, as opossum wants it: an emitter of `rotate`. */
import { EventEmitter } from 'node:events';
import type { Clock, Timer } from '../kernel/clock.ts';

/** Emits `rotate` once an interval for as long as somebody holds it. */
class Rotation extends EventEmitter {
  #holders = 0;
  #timer: Timer | null = null;

  constructor() {
    super();
    // One listener for each upstream is no leak.
    this.setMaxListeners(0);
  }

  hold(clock: Clock, intervalMs: number): void {
    if (this.#holders++ === 0) this.#timer = clock.every(intervalMs, () => this.emit('rotate'));
  }

  release(): void {
    if (--this.#holders > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }
}

export type { Rotation };

const rotations = new WeakMap<Clock, Map<number, Rotation>>();

/** The rotation of this grain, held; `release` it once. */
export function holdRotation(clock: Clock, intervalMs: number): Rotation {
  let ofClock = rotations.get(clock);
  if (ofClock === undefined) {
    ofClock = new Map();
    rotations.set(clock, ofClock);
  }
  let rotation = ofClock.get(intervalMs);
  if (rotation === undefined) {
    rotation = new Rotation();
    ofClock.set(intervalMs, rotation);
  }
  rotation.hold(clock, intervalMs);
  return rotation;
}
