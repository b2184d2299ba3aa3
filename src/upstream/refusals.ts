/** Passes over an endpoint that cannot be connected to, for a moment. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Slot } from './slot.ts';

/** Long enough to spare each request the detour, short enough to notice a restart. */
const AWAY_MS = 1000;

export interface Refusals {
  note(slot: Slot): void;
  forget(slot: Slot): void;
  clear(): void;
}

/** Makes the memory of refusals of one upstream. */
export function createRefusals(clock: Clock): Refusals {
  const away = new Map<Slot, Timer>();

  const forget = (slot: Slot) => {
    away.get(slot)?.cancel();
    away.delete(slot);
  };

  return {
    forget,
    note(slot) {
      if (away.has(slot)) return;
      slot.keepOut('refused', true);
      away.set(
        slot,
        clock.after(AWAY_MS, () => {
          away.delete(slot);
          slot.keepOut('refused', false);
        }),
      );
    },
    clear() {
      for (const slot of [...away.keys()]) forget(slot);
    },
  };
}
