/** What a call tells the circuit breaker of its upstream: once, as soon as it is clear how it went. */
import type { Clock } from '../kernel/clock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import type { Breaker } from '../upstream/breaker.ts';
import type { ReplayBody } from './replay-body.ts';

interface Time {
  readonly clock: Clock;
  readonly wheel: Wheel;
}

export class Verdict {
  readonly #breaker: Breaker;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #body: ReplayBody | null;
  /** 0 once it has been told. */
  #ticket: number;
  /** Monotonic; -1 until it was so far. */
  #askedMs = -1;
  #headMs = -1;
  #slow = false;
  #alarm: Alarm | null = null;

  constructor(breaker: Breaker, ticket: number, { clock, wheel }: Time, body: ReplayBody | null) {
    this.#breaker = breaker;
    this.#ticket = ticket;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#body = body;
  }

  /** An attempt is sent. */
  asked(nowMs: number): void {
    if (this.#askedMs < 0) this.#askedMs = nowMs;
  }

  /**
   * The head that the caller gets.
   * @param longLived the end of such an answer may be hours away
   */
  head(status: number, longLived: boolean): void {
    const { rule, options, phase } = this.#breaker;
    this.#headMs = this.#clock.nowMs();
    this.#slow = this.#waitedMs() >= options.slowAfterMs;
    if (rule.countsStatus(status)) {
      this.#failed(`status ${status}`);
    } else if (longLived || phase === 'half-open') {
      this.#alarm = new Alarm(() => this.good());
      this.#wheel.arm(this.#alarm, options.slowAfterMs);
    }
  }

  /** The body is whole, or has been flowing for long enough. */
  good(): void {
    if (this.#ticket !== 0) this.#breaker.succeeded(this.#take(), this.#slow);
  }

  /** The body broke off. */
  broke(error: GatewayError): void {
    if (this.#flowed) this.good();
    else this.#judge(error);
  }

  /** No head will come. */
  failed(error: GatewayError): void {
    // The time for the whole request may have gone by with a client that sends slowly, or in the queue.
    if (this.#askedMs < 0 || (error.code === 'GW_TIMEOUT' && !this.#requestSent)) this.#forget();
    else this.#judge(error);
  }

  /** The caller gave up. */
  cancelled(why: GatewayError): void {
    const { rule, options } = this.#breaker;
    // Some callers watch the body themselves, and give up for what the upstream does with it.
    if (this.#headMs >= 0 && why.source === 'upstream') this.broke(why);
    else if (why.code !== 'GW_CLIENT_LEFT') this.#forget();
    else if (this.#headMs >= 0) this.broke(why);
    else if (rule.countsTimeouts && this.#requestSent && this.#waitedMs() >= options.slowAfterMs)
      this.#failed('clients left unanswered');
    else this.#forget();
  }

  get #requestSent(): boolean {
    return this.#body === null || this.#body.endedMs >= 0;
  }

  /** Since the upstream had the whole request: a client that uploads slowly says nothing about it. */
  #waitedMs(): number {
    if (this.#askedMs < 0) return 0;
    const endedMs = this.#body === null ? -1 : this.#body.endedMs;
    return this.#clock.nowMs() - Math.max(this.#askedMs, endedMs);
  }

  /** A stream that has gone on for so long was a success, however it ended. */
  get #flowed(): boolean {
    return this.#clock.nowMs() - this.#headMs >= this.#breaker.options.slowAfterMs;
  }

  #judge(error: GatewayError): void {
    if (this.#breaker.rule.counts(error)) this.#failed(error.code);
    else this.#forget();
  }

  #failed(cause: string): void {
    if (this.#ticket !== 0) this.#breaker.failed(this.#take(), cause);
  }

  #forget(): void {
    if (this.#ticket !== 0) this.#breaker.forget(this.#take());
  }

  #take(): number {
    const ticket = this.#ticket;
    this.#ticket = 0;
    if (this.#alarm !== null) this.#wheel.disarm(this.#alarm);
    return ticket;
  }
}

/**
 * Asks whether a call may go; gives what it has to tell in return, or null when it may not.
 * @param body of the request
 */
export function askBreaker(breaker: Breaker, time: Time, body: ReplayBody | null): Verdict | null {
  const ticket = breaker.admit();
  return ticket === 0 ? null : new Verdict(breaker, ticket, time, body);
}
