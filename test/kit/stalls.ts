/** For tests of how long something takes: the time for which the machine let nothing of this process run is not counted. */

const LOOK_MS = 5;

export interface Stalls {
  /** So far. */
  heldMs(): number;
  stop(): void;
}

/** Begins to look. */
export function watchStalls(): Stalls {
  let heldMs = 0;
  let lastMs = performance.now();
  const gapMs = () => Math.max(0, performance.now() - lastMs - 2 * LOOK_MS);
  const timer = setInterval(() => {
    heldMs += gapMs();
    lastMs = performance.now();
  }, LOOK_MS);
  return { heldMs: () => heldMs + gapMs(), stop: () => clearInterval(timer) };
}
