/** What makes the trace IDs, whatever their form. */

export interface IdGenerator {
  /** A new ID, greater than all before it in the order of its form; null while not ready. */
  next(): string | null;
  /** False while the clock stands too far behind the IDs that were already given. */
  readonly ready: boolean;
}

export type StopReason =
  /** The wall clock went back further than may be ridden out. */
  | 'clock-back'
  /** More IDs were asked for than the milliseconds that may be borrowed hold. */
  | 'overflow'
  /** The wall clock stands before the epoch. */
  | 'before-epoch'
  /** The wall clock stands after the last millisecond that the form can hold. */
  | 'exhausted';

export interface Stop {
  readonly reason: StopReason;
  /** How long until the clock has caught up; 0 where it never will. */
  readonly waitMs: number;
}

/** Told once at each change, so that a log gets one line and not one a request. */
export interface ReadinessHooks {
  readonly onNotReady?: (stop: Stop) => void;
  readonly onReady?: () => void;
}
