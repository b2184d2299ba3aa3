/** One coarse timer wheel for all request timeouts: arming and disarming are a few pointer writes. */
import type { Clock, Timer } from './clock.ts';

const SLOTS = 1024;

/** Something that can expire; embed one per timeout and re-arm it at will. */
export class Alarm {
  /** @internal */ next: Alarm | null = null;
  /** @internal */ previous: Alarm | null = null;
  /** @internal */ dueTick = 0;
  readonly ring: () => void;

  constructor(ring: () => void) {
    this.ring = ring;
  }

  get armed(): boolean {
    return this.next !== null;
  }
}

export interface Wheel {
  /** Arms (or re-arms) the alarm; it rings between `delayMs` and `delayMs` + one tick later. 0 or Infinity disarms. */
  arm(alarm: Alarm, delayMs: number): void;
  disarm(alarm: Alarm): void;
  /** Stops turning; armed alarms never ring. */
  stop(): void;
}

const unlink = (alarm: Alarm) => {
  if (alarm.next === null || alarm.previous === null) return;
  alarm.previous.next = alarm.next;
  alarm.next.previous = alarm.previous;
  alarm.next = null;
  alarm.previous = null;
};

/**
 * Makes a hashed timing wheel (Varghese and Lauck, 1987).
 * @param tickMs grain of all its alarms; 25 to 50 keeps a busy gateway's timeouts nearly free
 */
export function createWheel(clock: Clock, tickMs = 25): Wheel {
  const slots = Array.from({ length: SLOTS }, () => {
    const head = new Alarm(() => {});
    head.next = head;
    head.previous = head;
    return head;
  });
  const startMs = clock.nowMs();
  let tick = 0;

  const turnTo = (target: number) => {
    // After a long stall one round visits every slot; more would only repeat it.
    const from = Math.max(tick + 1, target - SLOTS + 1);
    tick = target;
    for (let at = from; at <= target; at++) {
      const head = slots[at % SLOTS]!;
      let alarm = head.next!;
      while (alarm !== head) {
        const next = alarm.next!;
        if (alarm.dueTick <= target) {
          unlink(alarm);
          due.push(alarm);
        }
        alarm = next;
      }
    }
    // Rung after the sweep, since ringing may arm and disarm others.
    while (due.length > 0) due.pop()!.ring();
  };
  const due: Alarm[] = [];

  const timer: Timer = clock.every(tickMs, () => {
    const target = Math.floor((clock.nowMs() - startMs) / tickMs);
    if (target > tick) turnTo(target);
  });

  return {
    arm(alarm, delayMs) {
      unlink(alarm);
      if (delayMs <= 0 || delayMs === Number.POSITIVE_INFINITY) return;
      alarm.dueTick = Math.max(tick + 1, Math.ceil((clock.nowMs() - startMs + delayMs) / tickMs));
      const head = slots[alarm.dueTick % SLOTS]!;
      alarm.next = head;
      alarm.previous = head.previous;
      head.previous!.next = alarm;
      head.previous = alarm;
    },
    disarm: unlink,
    stop: () => timer.cancel(),
  };
}
