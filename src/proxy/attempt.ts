/** One call on its way through an upstream: its attempts one after another, each settled once. */
import type { Clock } from '../kernel/clock.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import type { Waiter } from '../upstream/places.ts';
import type { Slot } from '../upstream/slot.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import { copyHead, type RequestHead, type ResponseHead } from '../wire/heads.ts';
import type { Call, Flight, Receiver } from '../wire/transport.ts';
import { Discard } from './attempt-discard.ts';
import { tellDeadline } from './deadline.ts';
import { isLongLived } from './long-lived.ts';
import { PassedBody } from './passed-body.ts';
import { ReplayBody } from './replay-body.ts';
import { pauseMs, type RetryPolicy, retryAfterMs } from './retry.ts';
import { Testimony } from './testimony.ts';
import { askBreaker, type Verdict } from './verdict.ts';

export interface CallParts {
  readonly clock: Clock;
  readonly random: Random;
  /** Rings for back-off. */
  readonly wheel: Wheel;
}

/**
 * Receives from the connection and is what the caller holds: flight and response body in one, so that a call
 * costs one object. Subclasses say how an attempt is sent and how the caller is told.
 */
export abstract class AttemptRun extends PassedBody implements Receiver, Flight, Waiter {
  protected readonly call: Call;
  protected readonly upstream: Upstream;
  readonly #parts: CallParts;
  readonly #policy: RetryPolicy;
  readonly #replay: ReplayBody | null;
  /** What the upstream's breaker will be told; null without one. */
  #verdict: Verdict | null = null;
  #slot: Slot | null = null;
  readonly #testimony: Testimony;
  /** What the observer gave for the present attempt. */
  #mark: unknown = null;
  /** Made at the first failure. */
  #tried: Slot[] | null = null;
  #tries = 0;
  /** Monotonic start of the present attempt. */
  #startMs = 0;
  /** The one try past `attempts`, for a connection refused or closed before anything was sent. */
  #extraUsed = false;
  #waits = 0;
  /** Before the attempt that was chosen; 0 for at once. */
  #delayMs = 0;
  #alarm: Alarm | null = null;
  #flight: Flight | null = null;
  /** True from the start of an attempt to its head or failure. */
  #open = false;
  /** True while it stands in the queue of the upstream. */
  #waiting = false;
  /** True while the attempt has a place, and whether it is one among the streams. */
  #counted = false;
  #isStream = false;
  /** The caller has had the head; nothing is tried again. */
  #passed = false;
  #done = false;
  /** Why the caller gave up. */
  #cancelled: GatewayError | null = null;
  /** What is told when an attempt was planned and then could not be made. */
  #lastError: GatewayError | null = null;

  constructor(upstream: Upstream, call: Call, options: { parts: CallParts; policy: RetryPolicy }) {
    super();
    this.upstream = upstream;
    this.#testimony = new Testimony(upstream);
    this.call = call;
    this.#parts = options.parts;
    this.#policy = options.policy;
    this.#replay = call.body === null ? null : new ReplayBody(call.body, options.parts.clock);
  }

  /** Sends one attempt; `this` is its receiver. */
  protected abstract dispatch(slot: Slot, call: Call): Flight;
  /** Gives the answer to the caller; the body is this run itself. */
  protected abstract pass(head: ResponseHead): void;
  protected abstract passFailure(error: GatewayError): void;
  abstract inform(status: number, fields: Fields): void;

  start(): void {
    if (!this.#admitted()) return;
    const { budget, places } = this.upstream;
    budget.request();
    // Nobody passes those who wait already.
    const slot = places.waiting > 0 ? null : this.pick();
    if (slot !== null) this.#launch(slot);
    else if (places.crowded) this.#wait();
    else this.#finish(gatewayError('GW_NO_ENDPOINT', this.upstream.whyNone()));
  }

  /**
   * Starts the same call a second time, beside one that is at `other`. False when there is nobody else, or the
   * budget or the breaker has no room; then nothing is sent.
   */
  startBeside(other: Slot): boolean {
    const { budget, places } = this.upstream;
    this.#tried = [other];
    const slot = places.waiting > 0 ? null : this.upstream.pick(this.call.hash, this.#tried);
    if (slot === null || !budget.take() || !this.#admitted()) return false;
    this.#launch(slot);
    return true;
  }

  /** Where the present attempt is, or the last one was. */
  get slot(): Slot | null {
    return this.#slot;
  }

  /** Asks the breaker; a call that may not go has been told so. */
  #admitted(): boolean {
    const { breaker } = this.upstream;
    if (breaker === null) return true;
    this.#verdict = askBreaker(breaker, this.#parts, this.#replay);
    if (this.#verdict === null) this.#finish(breaker.refusal());
    return this.#verdict !== null;
  }

  // Waiter

  /** The slot for the first attempt. */
  pick(): Slot | null {
    const { hash, stick } = this.call;
    const known = stick == null ? null : this.upstream.find(stick);
    return known ?? this.upstream.pick(hash, null);
  }

  #wait(): void {
    const error = this.upstream.places.wait(this, this.call.deadlineMs);
    if (error === null) this.#waiting = true;
    else this.#finish(error);
  }

  seated(slot: Slot): void {
    this.#waiting = false;
    this.#launch(slot);
  }

  turnedAway(error: GatewayError): void {
    this.#waiting = false;
    this.#finish(error);
  }

  #launch(slot: Slot): void {
    const { call } = this;
    const attempt = ++this.#tries;
    let { head } = call;
    this.#slot = slot;
    this.#testimony.of(slot);
    this.#startMs = this.#parts.clock.nowMs();
    this.#verdict?.asked(this.#startMs);
    this.#flight = null;
    this.#open = true;
    this.#counted = true;
    this.#isStream = false;
    this.upstream.places.take(slot);
    const { observer } = call;
    if (observer !== null && observer.changesHead !== false) head = copyHead(head);
    const deadlineMs = Math.min(call.deadlineMs, this.#startMs + this.#policy.perTryMs);
    tellDeadline(head.fields, deadlineMs - this.#startMs);
    if (observer !== null) {
      this.#mark = observer.attempt(head, slot);
      if (this.#done) return;
    }
    const flight = this.dispatch(slot, this.#callWith(head, deadlineMs));
    // The attempt may have ended, and the next begun, before `dispatch` returned.
    if (attempt === this.#tries) this.#flight = flight;
    if (this.#cancelled !== null) flight.cancel(this.#cancelled);
  }

  /** False while the client still sends. */
  get #requestSent(): boolean {
    return this.#replay === null || this.#replay.endedMs >= 0;
  }

  /** Since the endpoint had the whole request: a client that uploads slowly says nothing about it. */
  #waitedMs(): number {
    const endedMs = this.#replay === null ? -1 : this.#replay.endedMs;
    return this.#parts.clock.nowMs() - Math.max(this.#startMs, endedMs);
  }

  #callWith(head: RequestHead, deadlineMs: number): Call {
    const { call } = this;
    if (head === call.head && this.#replay === null && deadlineMs === call.deadlineMs) return call;
    return {
      head,
      body: this.#replay === null ? null : this.#replay.next(),
      deadlineMs,
      timeouts: call.timeouts,
      hash: call.hash,
      observer: null,
    };
  }

  // Receiver

  head(head: ResponseHead, body: Body): void {
    if (this.#done) {
      body.cancel(this.#cancelled ?? gatewayError('GW_INTERNAL', 'an answer after the end'));
      return;
    }
    this.#open = false;
    this.call.observer?.attempted(head.status, null, this.#mark);
    this.#testimony.answered(head, this.#waitedMs());
    if (this.#policy.permitsStatus(head.status, this.call.head)) {
      this.#lastError = null;
      const again = this.#choose(null, retryAfterMs(head.fields, this.#parts.clock.wallMs()));
      if (again !== null) {
        this.#counted = false;
        new Discard(body, this.#slot!, this.upstream.places).start();
        this.#proceed(again);
        return;
      }
    }
    this.#passed = true;
    this.response = body;
    this.#headCame(head.status, isLongLived(head.fields));
    this.#replay?.release();
    this.pass(head);
  }

  /** Of the attempt before its head; of the body, told to its reader, after. */
  fail(reason: GatewayError): void {
    if (this.#done) return;
    if (this.#passed) {
      this.#verdict?.broke(reason);
      this.#testimony.broke(reason);
      this.#end();
      this.into?.fail(reason);
      return;
    }
    const inTime = this.#parts.clock.nowMs() < this.call.deadlineMs;
    const error = inTime ? this.#policy.ofOneTry(reason) : reason;
    this.#open = false;
    this.#settle();
    this.call.observer?.attempted(0, error, this.#mark);
    if (this.#done) return;
    if (error.retry === 'unsent') this.upstream.refused(this.#slot!);
    this.#testimony.failed(error, this.#waitedMs(), this.#requestSent);
    this.#lastError = error;
    const tookMs = this.#parts.clock.nowMs() - this.#startMs;
    const again = this.#policy.permits(error, this.call.head, tookMs) ? this.#choose(error, 0) : null;
    if (again === null) this.#finish(error);
    else this.#proceed(again);
  }

  // The next attempt

  /**
   * The slot for another attempt, or null when none is safe, allowed or possible.
   * @param error null when a status is the reason
   * @param askedMs how long the upstream wants to be left alone
   */
  #choose(error: GatewayError | null, askedMs: number): Slot | null {
    if (askedMs > this.#policy.maxRetryAfterMs) return null;
    if (this.#replay !== null && !this.#replay.replayable) return null;
    const leftMs = this.call.deadlineMs - this.#parts.clock.nowMs();
    if (leftMs <= 0) return null;
    // Refused or stale: nothing was done upstream, so one try more is no burden.
    const unsent = error !== null && error.retry === 'unsent';
    const stale = error !== null && error.retry === 'reused';
    const extra = this.#tries >= this.#policy.attempts;
    if (extra && (this.#extraUsed || !(unsent || stale))) return null;

    const last = this.#slot!;
    if (this.#tried === null) this.#tried = [last];
    else if (!this.#tried.includes(last)) this.#tried.push(last);
    const other = this.upstream.pick(this.call.hash, this.#tried);
    if (other === null && extra && unsent) return null;
    const slot = other ?? this.upstream.pick(this.call.hash, null);
    if (slot === null) return null;

    const elsewhere = other !== null || stale;
    const delayMs = pauseMs({ elsewhere, askedMs, before: this.#waits }, this.#parts.random);
    if (delayMs >= leftMs) return null;
    // Passing over what is down costs at most one refusal per endpoint and second, so it needs no leave.
    if (stale || (unsent && other?.available === true)) this.upstream.budget.record();
    else if (!this.upstream.budget.take()) return null;
    if (extra) this.#extraUsed = true;
    this.#delayMs = delayMs;
    return slot;
  }

  #proceed(slot: Slot): void {
    if (this.#delayMs === 0) {
      this.#launch(slot);
      return;
    }
    this.#waits++;
    this.#alarm ??= new Alarm(() => this.#afterWait());
    this.#parts.wheel.arm(this.#alarm, this.#delayMs);
  }

  #afterWait(): void {
    if (this.#done) return;
    if (this.#parts.clock.nowMs() >= this.call.deadlineMs) {
      this.#finish(gatewayError('GW_TIMEOUT', 'while waiting to try again'));
      return;
    }
    // Picked afresh: much may have changed, and the slot chosen before may be gone.
    const { hash } = this.call;
    const slot = this.upstream.pick(hash, this.#tried) ?? this.upstream.pick(hash, null);
    if (slot === null)
      this.#finish(this.#lastError ?? gatewayError('GW_NO_ENDPOINT', this.upstream.whyNone()));
    else this.#launch(slot);
  }

  // The end

  cancel(why: GatewayError): void {
    if (this.#done) return;
    this.#done = true;
    this.#cancelled = why;
    if (this.#alarm !== null) this.#parts.wheel.disarm(this.#alarm);
    this.#verdict?.cancelled(why);
    if (this.#open) {
      this.call.observer?.attempted(0, why, this.#mark);
      this.#testimony.abandoned(why, this.#waitedMs(), this.#requestSent);
    }
    this.#open = false;
    if (this.#waiting) this.upstream.places.giveUp(this);
    if (this.response !== null) this.response.cancel(why);
    else this.#flight?.cancel(why);
    this.#settle();
    this.#replay?.close(why);
  }

  /** The answer that the caller gets begins. */
  #headCame(status: number, longLived: boolean): void {
    this.#verdict?.head(status, longLived);
    if (!longLived) return;
    this.#isStream = this.upstream.places.stream(this.#slot!);
    this.#testimony.whole();
  }

  #finish(error: GatewayError): void {
    this.#done = true;
    this.#verdict?.failed(error);
    this.#replay?.close(error);
    this.passFailure(error);
  }

  #end(): void {
    this.#done = true;
    this.#verdict?.good();
    this.#settle();
  }

  #settle(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.upstream.places.free(this.#slot!, this.#isStream);
  }

  // What the caller reads

  override read(into: Sink): void {
    if (!this.#done) super.read(into);
  }

  override end(trailers: Fields | null): void {
    if (this.#done) return;
    this.#testimony.whole();
    this.#end();
    super.end(trailers);
  }

  // For tunnels, which have no body whose end would tell

  /** The attempt has its answer and the caller has it from here. */
  protected opened(head: ResponseHead): boolean {
    if (this.#done) return false;
    this.#open = false;
    this.#passed = true;
    this.call.observer?.attempted(head.status, null, this.#mark);
    this.#testimony.answered(head, this.#waitedMs());
    this.#headCame(head.status, true);
    return !this.#done;
  }

  protected closed(): void {
    if (!this.#done) this.#end();
  }
}
