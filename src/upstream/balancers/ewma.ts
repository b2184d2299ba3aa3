/** The endpoint that is expected to answer soonest, of two drawn by weight: latency times calls in flight. */
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { ResponseHead } from '../../wire/heads.ts';
import type { Feedback, Slot } from '../slot.ts';
import type { Balancer, BalancerParts, Picker } from './balancer.ts';
import { Sampler } from './sample.ts';

/** A failure counts as an answer that took so many times as long as usual: fast failures must not draw calls. */
const PENALTY = 5;
/** The same before any answer has told what is usual, and at most. */
const FIRST_PENALTY_MS = 1000;
const MAX_PENALTY_MS = 60_000;
/** Weight of one answer in the mean that stands in for endpoints that have not answered yet. */
const MEAN_PART = 0.05;
/** Below this, latencies are taken as equal, so that calls in flight decide. */
const MIN_MS = 0.001;

/** Milliseconds that answers take over all endpoints. */
interface Mean {
  ms: number;
}

/**
 * Latency to the head, as Finagle's peak EWMA: a slow answer counts at once and in full, and is forgotten with time,
 * whether others follow or not, so that an endpoint that was slow is asked again.
 */
class Latency implements Feedback {
  readonly #clock: Clock;
  readonly #mean: Mean;
  readonly #decayMs: number;
  /** As it was at `#atMs`; -1 before the first answer. */
  #ms = -1;
  #atMs = 0;
  #failuresInARow = 0;

  constructor(clock: Clock, mean: Mean, decayMs: number) {
    this.#clock = clock;
    this.#mean = mean;
    this.#decayMs = decayMs;
  }

  /** The latency to expect now. */
  at(nowMs: number): number {
    const ms = this.#ms < 0 ? this.#mean.ms : this.#ms * this.#kept(nowMs);
    return Math.max(MIN_MS, ms);
  }

  answered(tookMs: number, head: ResponseHead): void {
    if (head.status >= 500) {
      this.failed(tookMs);
      return;
    }
    this.#failuresInARow = 0;
    this.#observe(tookMs);
    const mean = this.#mean;
    mean.ms = mean.ms === 0 ? tookMs : mean.ms + (tookMs - mean.ms) * MEAN_PART;
  }

  /** Each failure in a row counts twice the one before. */
  failed(tookMs: number): void {
    const once = this.#mean.ms === 0 ? FIRST_PENALTY_MS : PENALTY * this.#mean.ms;
    const penaltyMs = Math.min(MAX_PENALTY_MS, once * 2 ** this.#failuresInARow++);
    this.#observe(Math.max(tookMs, penaltyMs));
  }

  /** Had it been answered, then later than now: a slot that hangs must not look as fast as it was before. */
  abandoned(tookMs: number): void {
    if (tookMs > this.at(this.#clock.nowMs())) this.#observe(tookMs);
  }

  #observe(ms: number): void {
    const nowMs = this.#clock.nowMs();
    const kept = this.#kept(nowMs);
    this.#ms = Math.max(ms, this.#ms * kept + ms * (1 - kept));
    this.#atMs = nowMs;
  }

  /** What is left now of an observation, 0 to 1. */
  #kept(nowMs: number): number {
    return Math.exp((this.#atMs - nowMs) / this.#decayMs);
  }
}

class EwmaPicker implements Picker {
  readonly #sampler: Sampler;
  readonly #clock: Clock;
  readonly #latencies: ReadonlyMap<Slot, Latency>;
  readonly #meanWeight: number;

  constructor(sampler: Sampler, clock: Clock, latencies: ReadonlyMap<Slot, Latency>) {
    this.#sampler = sampler;
    this.#clock = clock;
    this.#latencies = latencies;
    let sum = 0;
    for (const slot of latencies.keys()) sum += slot.spec.weight;
    this.#meanWeight = sum / latencies.size;
  }

  pick(_hash: number, tried: readonly Slot[] | null): Slot | null {
    const first = this.#sampler.draw(tried);
    if (first === null) return null;
    const second = this.#sampler.drawOther(first, tried);
    if (second === first) return first;
    const nowMs = this.#clock.nowMs();
    return this.#cost(second, nowMs) < this.#cost(first, nowMs) ? second : first;
  }

  /** How long one call more would take there, if calls wait for each other; one of twice the weight does two at a time. */
  #cost(slot: Slot, nowMs: number): number {
    const ahead = (slot.inFlight * this.#meanWeight) / slot.weight;
    return this.#latencies.get(slot)!.at(nowMs) * (ahead + 1);
  }
}

class Ewma implements Balancer {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #decayMs: number;
  readonly #mean: Mean = { ms: 0 };
  #latencies: ReadonlyMap<Slot, Latency> = new Map();

  constructor(random: Random, clock: Clock, decayMs: number) {
    this.#random = random;
    this.#clock = clock;
    this.#decayMs = decayMs;
  }

  build(slots: readonly Slot[]): Picker {
    const before = this.#latencies;
    this.#latencies = new Map(
      slots.map((slot) => [slot, before.get(slot) ?? new Latency(this.#clock, this.#mean, this.#decayMs)]),
    );
    for (const [slot, latency] of this.#latencies) slot.feedback = latency;
    return new EwmaPicker(new Sampler(slots, this.#random), this.#clock, this.#latencies);
  }
}

/**
 * Power of two choices by peak EWMA of latency (as Finagle and Linkerd have it) times calls in flight.
 * @param decayMs after this time 37 % of an old latency is left
 */
export function createEwma({ random, clock }: BalancerParts, decayMs: number): Balancer {
  return new Ewma(random, clock, decayMs);
}
