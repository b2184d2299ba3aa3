/** Who waits for a connection: first come, first served, up to a number and for a time. */
import type { Clock } from '../kernel/clock.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';

export interface LineLimits {
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly maxQueue: number;
  /** 0 waits without end. */
  readonly queueTimeoutMs: number;
}

export class WaitingLine<T> {
  private readonly limits: LineLimits;
  private readonly turnAway: (who: T, error: GatewayError) => void;
  /** A Map keeps the order of arrival and lets anybody leave from the middle. */
  private readonly waiting = new Map<T, Alarm>();

  constructor(limits: LineLimits, turnAway: (who: T, error: GatewayError) => void) {
    this.limits = limits;
    this.turnAway = turnAway;
  }

  get size(): number {
    return this.waiting.size;
  }

  /** Joins the end; who cannot is turned away, never before this call returned. */
  join(who: T, deadlineMs: number): void {
    const { clock, wheel, maxQueue, queueTimeoutMs } = this.limits;
    if (this.waiting.size >= maxQueue) {
      queueMicrotask(() => this.turnAway(who, gatewayError('GW_QUEUE_FULL', `${maxQueue} wait already`)));
      return;
    }
    const leftMs = Math.max(1, deadlineMs - clock.nowMs());
    const byDeadline = queueTimeoutMs === 0 || leftMs < queueTimeoutMs;
    const alarm = new Alarm(() =>
      this.turnAway(
        who,
        byDeadline
          ? gatewayError('GW_TIMEOUT', 'while waiting for a connection')
          : gatewayError('GW_QUEUE_TIMEOUT', `${queueTimeoutMs} ms`),
      ),
    );
    this.waiting.set(who, alarm);
    wheel.arm(alarm, byDeadline ? leftMs : queueTimeoutMs);
  }

  /** The next one, who waits no more. */
  shift(): T | null {
    for (const who of this.waiting.keys()) {
      this.leave(who);
      return who;
    }
    return null;
  }

  leave(who: T): void {
    const alarm = this.waiting.get(who);
    if (alarm === undefined) return;
    this.limits.wheel.disarm(alarm);
    this.waiting.delete(who);
  }
}
