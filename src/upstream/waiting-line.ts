/** Who waits for a place: first come, first served, up to a number and for a time. */
import type { Clock, Timer } from '../kernel/clock.ts';
import { type GatewayCode, type GatewayError, gatewayError } from '../kernel/errors.ts';

export interface LineLimits {
  readonly maxQueue: number;
  readonly queueTimeoutMs: number;
}

const comeBack = (code: GatewayCode, detail: string): GatewayError => {
  const error = gatewayError(code, detail);
  error.retryAfterSeconds = 1;
  return error;
};

export class WaitingLine<T> {
  /** May change while somebody waits; it holds for those who come after. */
  limits: LineLimits;
  readonly #clock: Clock;
  readonly #turnAway: (who: T, error: GatewayError) => void;
  /** A Map keeps the order of arrival and lets anybody leave from the middle. */
  readonly #waiting = new Map<T, Timer>();

  /** @param turnAway called, once they have left, with those who get no place */
  constructor(limits: LineLimits, clock: Clock, turnAway: (who: T, error: GatewayError) => void) {
    this.limits = limits;
    this.#clock = clock;
    this.#turnAway = turnAway;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The one who has waited longest. */
  get first(): T | null {
    for (const who of this.#waiting.keys()) return who;
    return null;
  }

  /**
   * Joins the end.
   * @param deadlineMs monotonic; whoever has no place by then is turned away too
   * @returns why it may not, or null
   */
  join(who: T, deadlineMs: number): GatewayError | null {
    const { maxQueue, queueTimeoutMs } = this.limits;
    if (this.#waiting.size >= maxQueue) return comeBack('GW_QUEUE_FULL', `${maxQueue} wait already`);
    const leftMs = Math.max(1, deadlineMs - this.#clock.nowMs());
    const byDeadline = leftMs < queueTimeoutMs;
    const timer = this.#clock.after(byDeadline ? leftMs : queueTimeoutMs, () => {
      this.#waiting.delete(who);
      const error = byDeadline
        ? gatewayError('GW_TIMEOUT', 'while waiting for a place')
        : comeBack('GW_QUEUE_TIMEOUT', `${queueTimeoutMs} ms`);
      this.#turnAway(who, error);
    });
    this.#waiting.set(who, timer);
    return null;
  }

  leave(who: T): void {
    this.#waiting.get(who)?.cancel();
    this.#waiting.delete(who);
  }

  /** Turns everybody away. */
  dissolve(error: GatewayError): void {
    for (const who of [...this.#waiting.keys()]) {
      this.leave(who);
      this.#turnAway(who, error);
    }
  }
}
