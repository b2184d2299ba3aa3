/** One alarm for two limits: a phase of a call and the call's deadline, whichever is sooner. */
import type { Clock } from '../kernel/clock.ts';
import type { Alarm, Wheel } from '../kernel/wheel.ts';

/** What measures and rings. */
export interface Time {
  readonly clock: Clock;
  readonly wheel: Wheel;
}

/**
 * Arms the alarm for the sooner of both.
 * @param limitMs of the phase; 0 for none
 * @param deadlineMs monotonic; Infinity for none
 * @returns true when it is the deadline that will ring
 */
export function armSooner(time: Time, alarm: Alarm, limitMs: number, deadlineMs: number): boolean {
  if (deadlineMs === Number.POSITIVE_INFINITY) {
    time.wheel.arm(alarm, limitMs);
    return false;
  }
  const leftMs = Math.max(1, deadlineMs - time.clock.nowMs());
  const byDeadline = limitMs === 0 || leftMs <= limitMs;
  time.wheel.arm(alarm, byDeadline ? leftMs : limitMs);
  return byDeadline;
}
