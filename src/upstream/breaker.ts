/** The circuit breaker of an upstream: opossum decides, and hears of a call once, when the call is over. */
import CircuitBreaker from 'opossum';
import type { BreakerOptions } from '../config/resilience-options.ts';
import type { Clock } from '../kernel/clock.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { formatDuration } from '../kernel/units.ts';
import type { PluginLogger } from '../plugin.ts';
import { FailureRule } from './failures.ts';
import { holdRotation, type Rotation } from './rotation.ts';
import { settled } from './settled.ts';

export type BreakerPhase = 'closed' | 'half-open' | 'open';

/** Calls that are let through to try an upstream that was cut off; all must succeed. */
const PROBES = 3;
const BUCKETS = 10;
const ignored = () => {};

export interface BreakerParts {
  /** Of the upstream. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: PluginLogger;
}

/** A breaker at one moment, for people. */
export interface BreakerState {
  readonly phase: BreakerPhase;
  /** Why it last opened; empty while it never has. */
  readonly why: string;
  /** Calls within the window, and those of them that failed or were slow. */
  readonly calls: number;
  readonly failed: number;
  readonly slow: number;
  /** How often it has opened. */
  readonly opened: number;
}

export class Breaker {
  readonly options: BreakerOptions;
  /** What it counts as a failure. */
  readonly rule: FailureRule;
  readonly #parts: BreakerParts;
  readonly #rotation: Rotation;
  readonly #circuit: CircuitBreaker<[failed: boolean], void>;
  readonly #rotate = () => this.#feed();
  /** What a ticket is: outcomes of calls that began before the last change of phase are ignored. */
  #epoch = 1;
  /** Calls that went well and that opossum has not been told of: most calls cost no more than this. */
  #unfed = 0;
  #probesOut = 0;
  #probesGood = 0;
  #lastProbeMs = 0;
  #openedMs = 0;
  #opened = 0;
  #cause = '';
  #why = '';

  constructor(options: BreakerOptions, parts: BreakerParts) {
    this.options = options;
    this.rule = new FailureRule(options.on);
    this.#parts = parts;
    this.#rotation = holdRotation(parts.clock, Math.round(options.windowMs / BUCKETS));
    // Before opossum's own listener, so that what is fed belongs to the bucket that ends.
    this.#rotation.on('rotate', this.#rotate);
    this.#circuit = new CircuitBreaker<[failed: boolean], void>(settled, {
      name: parts.name,
      timeout: false,
      enableSnapshots: false,
      rollingPercentilesEnabled: false,
      rotateBucketController: this.#rotation,
      rollingCountTimeout: options.windowMs,
      rollingCountBuckets: BUCKETS,
      // opossum opens above its threshold; ours is reached at the rate itself, or 100% would never be.
      errorThresholdPercentage: options.errorRate * 100 - 1e-9,
      volumeThreshold: options.minimum,
      resetTimeout: options.openForMs,
    });
    this.#circuit.on('open', () => this.#openedNow());
    this.#circuit.on('halfOpen', () => this.#turn('lets a few calls try'));
    this.#circuit.on('close', () => this.#closedNow());
  }

  get phase(): BreakerPhase {
    if (this.#circuit.closed) return 'closed';
    return this.#circuit.opened ? 'open' : 'half-open';
  }

  /** Asks whether a call may go: gives its ticket, to be settled once, or 0 when it may not. */
  admit(): number {
    if (this.#circuit.closed) return this.#epoch;
    if (this.#circuit.opened) return 0;
    const now = this.#parts.clock.nowMs();
    // A try that takes its time, an upload say, must not keep all others out.
    const stuck = now - this.#lastProbeMs >= this.options.openForMs;
    if (this.#probesOut + this.#probesGood >= PROBES && !stuck) return 0;
    this.#probesOut++;
    this.#lastProbeMs = now;
    return this.#epoch;
  }

  /** What a call is told that may not go. */
  refusal(): GatewayError {
    const leftMs = this.#openedMs + this.options.openForMs - this.#parts.clock.nowMs();
    const error = gatewayError('GW_BREAKER_OPEN', this.#why);
    error.retryAfterSeconds = Math.max(1, Math.ceil(leftMs / 1000));
    return error;
  }

  /** @param slow its head took longer than `slowAfter` */
  succeeded(ticket: number, slow: boolean): void {
    if (ticket !== this.#epoch) return;
    if (slow && this.options.slowRate !== null) this.#slow(this.options.slowRate);
    else if (this.#circuit.closed) this.#unfed++;
    else {
      this.#probesOut--;
      if (++this.#probesGood >= PROBES) this.#circuit.fire(false).catch(ignored);
    }
  }

  /** @param cause a code, or a status in words */
  failed(ticket: number, cause: string): void {
    if (ticket !== this.#epoch) return;
    this.#cause = cause;
    this.#feed();
    this.#circuit.fire(true).catch(ignored);
  }

  /** The call tells nothing of the upstream: its client left, or the gateway itself ended it. */
  forget(ticket: number): void {
    if (ticket === this.#epoch && !this.#circuit.closed) this.#probesOut--;
  }

  describe(): BreakerState {
    this.#feed();
    const { fires: calls, failures: failed, timeouts: slow } = this.#circuit.stats;
    return { phase: this.phase, why: this.#why, calls, failed, slow, opened: this.#opened };
  }

  /** Ends it; tickets that are out count no more. */
  close(): void {
    this.#epoch++;
    this.#rotation.off('rotate', this.#rotate);
    this.#circuit.shutdown();
    this.#rotation.release();
  }

  /** Tells opossum of the calls that went well, all at once. */
  #feed(): void {
    const bucket = this.#circuit.status.window[0]!;
    bucket.fires += this.#unfed;
    bucket.successes += this.#unfed;
    this.#unfed = 0;
  }

  /** opossum knows no slow calls, but it has a place in its window for those that took too long. */
  #slow(rate: number): void {
    this.#unfed++;
    this.#feed();
    this.#circuit.status.window[0]!.timeouts++;
    const { fires, timeouts } = this.#circuit.stats;
    this.#cause = `slower than ${formatDuration(this.options.slowAfterMs)}`;
    const enough = fires >= this.options.minimum && timeouts >= rate * fires;
    if (enough || !this.#circuit.closed) this.#circuit.open();
  }

  #openedNow(): void {
    this.#why = this.#probesOut > 0 ? `a call that tried the upstream: ${this.#cause}` : this.#numbers();
    this.#openedMs = this.#parts.clock.nowMs();
    this.#opened++;
    this.#turn('has opened', { why: this.#why, openForMs: this.options.openForMs });
  }

  #numbers(): string {
    const { fires, failures, timeouts } = this.#circuit.stats;
    const { errorRate, windowMs } = this.options;
    const within = `of ${fires} calls within ${formatDuration(windowMs)}`;
    if (failures < errorRate * fires) return `${timeouts} ${within} were ${this.#cause}`;
    return `${failures} ${within} failed, the last: ${this.#cause}`;
  }

  /** What was counted before it opened must not open it again at the first failure. */
  #closedNow(): void {
    for (const bucket of this.#circuit.status.window) {
      bucket.fires = 0;
      bucket.successes = 0;
      bucket.failures = 0;
      bucket.timeouts = 0;
    }
    this.#turn('has closed');
  }

  #turn(what: string, fields: Record<string, unknown> = {}): void {
    const { log, name } = this.#parts;
    this.#epoch++;
    this.#unfed = 0;
    this.#probesOut = 0;
    this.#probesGood = 0;
    const message = `the circuit breaker ${what}`;
    if (this.phase === 'open') log.warn(message, { upstream: name, ...fields });
    else log.info(message, { upstream: name, ...fields });
  }
}
