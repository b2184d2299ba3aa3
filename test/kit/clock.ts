/** A clock and a chance that tests move by hand, so that nothing waits and everything repeats. */
import type { Clock, Timer } from '../../src/kernel/clock.ts';
import type { Random } from '../../src/kernel/random.ts';

export interface ManualClock extends Clock {
  /** Moves both wall and monotonic time on, running what falls due on the way, in order. */
  advance(ms: number): void;
  /** Sets the wall time only, as when somebody sets the machine's clock; timers don't care. */
  setWall(ms: number): void;
  /** Timers that wait, so that a test can see that none is left behind. */
  readonly pending: number;
}

interface Waiting {
  dueMs: number;
  readonly periodMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * A clock that stands still until it is told to move.
 * @param wallMs where wall time starts; monotonic time starts at 0
 */
export function createManualClock(wallMs = Date.UTC(2026, 0, 1)): ManualClock {
  const waiting = new Set<Waiting>();
  let now = 0;
  let wallAhead = wallMs;
  let order = 0;

  const add = (dueMs: number, periodMs: number, run: () => void): Timer => {
    const entry = { dueMs, periodMs, order: order++, run };
    waiting.add(entry);
    return { cancel: () => void waiting.delete(entry) };
  };

  const nextDue = (untilMs: number): Waiting | null => {
    let first: Waiting | null = null;
    for (const entry of waiting) {
      if (entry.dueMs > untilMs) continue;
      if (
        first === null ||
        entry.dueMs < first.dueMs ||
        (entry.dueMs === first.dueMs && entry.order < first.order)
      )
        first = entry;
    }
    return first;
  };

  return {
    wallMs: () => Math.floor(wallAhead + now),
    nowMs: () => now,
    after: (delayMs, run) => add(now + Math.max(0, delayMs), 0, run),
    every: (periodMs, run) => add(now + Math.max(1, periodMs), Math.max(1, periodMs), run),
    advance(ms) {
      const target = now + ms;
      for (let entry = nextDue(target); entry !== null; entry = nextDue(target)) {
        now = Math.max(now, entry.dueMs);
        if (entry.periodMs > 0) entry.dueMs += entry.periodMs;
        else waiting.delete(entry);
        entry.run();
      }
      now = target;
    },
    setWall(ms) {
      wallAhead = ms - now;
    },
    get pending() {
      return waiting.size;
    },
  };
}

/** A chance that gives the same numbers for the same seed (mulberry32). */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)),
  };
}
