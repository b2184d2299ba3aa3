/** Takes an endpoint out for a time while it does worse than the others, and never too many at once. */
import type { OutlierOptions } from '../config/resilience-options.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { formatDuration } from '../kernel/units.ts';
import type { PluginLogger } from '../plugin.ts';
import { ALL_FAILURES, FailureRule } from './failures.ts';
import type { Slot } from './slot.ts';

/** A client that leaves without an answer after so long has found an endpoint that hangs. */
export const HUNG_MS = 5000;
/** Of an ejection, at most: those that were ejected together must not come back together. */
const JITTER = 0.1;

// The comparison with the others uses the numbers of Envoy's success-rate ejection.
const COMPARE_MS = 10_000;
const MIN_SLOTS = 5;
const MIN_ATTEMPTS = 100;
const DEVIATIONS = 1.9;
/** Where all do well, a single error more would already be far from what is usual. */
const MIN_GAP = 0.05;

const RULE = new FailureRule(ALL_FAILURES);

export interface OutlierParts {
  /** Of the upstream. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: PluginLogger;
  /** The present members. */
  readonly slots: () => readonly Slot[];
}

export class Outlier {
  readonly options: OutlierOptions;
  readonly #parts: OutlierParts;
  /** The ejected, and what brings each back. */
  readonly #ejected = new Map<Slot, Timer>();
  readonly #comparing: Timer;

  constructor(options: OutlierOptions, parts: OutlierParts) {
    this.options = options;
    this.#parts = parts;
    this.#comparing = parts.clock.every(COMPARE_MS, () => this.#compare());
  }

  /** An attempt has its head; true when that alone is no failure. */
  answered(slot: Slot, status: number): boolean {
    const bad = RULE.countsStatus(status);
    if (bad) this.#bad(slot, `status ${status}`);
    return !bad;
  }

  /** Such an answer has come whole, or is one whose end may be hours away: a good head with half a body is none. */
  whole(slot: Slot): void {
    slot.record.failuresInARow = 0;
    slot.record.good++;
  }

  /** An attempt failed, before its head or after it. */
  failed(slot: Slot, error: GatewayError): void {
    if (RULE.counts(error)) this.#bad(slot, error.code);
  }

  /** A client left after waiting for a head for longer than `HUNG_MS`. */
  hung(slot: Slot): void {
    this.#bad(slot, 'a client left unanswered');
  }

  /** Brings an endpoint back before its time: its checks, which had failed, pass again. */
  pardon(slot: Slot): void {
    if (this.#ejected.has(slot)) this.#bringBack(slot);
  }

  /** The members have changed: who is gone needs no timer, and those who stay may be too few to be without some. */
  changed(): void {
    const present = new Set(this.#parts.slots());
    for (const slot of [...this.#ejected.keys()]) if (!present.has(slot)) this.#forget(slot);
    for (const slot of [...this.#ejected.keys()]) {
      if (this.#ejected.size <= this.#most()) break;
      this.#bringBack(slot);
    }
  }

  /** Brings everyone back and stops. */
  close(): void {
    this.#comparing.cancel();
    for (const slot of [...this.#ejected.keys()]) {
      this.#forget(slot);
      slot.keepOut('ejected', false);
    }
  }

  #bad(slot: Slot, cause: string): void {
    const { record } = slot;
    const { failures } = this.options;
    record.bad++;
    // Where it may not be ejected it is asked again only after as many failures more.
    if (++record.failuresInARow % failures !== 0) return;
    this.#eject(slot, `${record.failuresInARow} failures in a row, the last: ${cause}`);
  }

  /** Half of those that take traffic; of two or three it is one, and the only one stays. */
  #most(): number {
    let count = 0;
    for (const slot of this.#parts.slots()) if (slot.spec.weight > 0) count++;
    return count < 2 ? 0 : Math.max(1, Math.floor(count / 2));
  }

  #eject(slot: Slot, why: string): void {
    // The attempt may be of an endpoint that has been taken away since.
    if (this.#ejected.has(slot) || !this.#parts.slots().includes(slot)) return;
    if (this.#ejected.size >= this.#most()) return;
    const { clock, random, log, name } = this.#parts;
    const { ejectForMs, maxEjectForMs } = this.options;
    const { record } = slot;
    // Each stretch as long as a first ejection that went well makes one forgotten.
    const forgiven = Math.floor((clock.nowMs() - record.backMs) / ejectForMs);
    record.level = Math.max(0, record.level - forgiven) + 1;
    record.ejections++;
    const plainMs = Math.min(maxEjectForMs, ejectForMs * record.level);
    const forMs = Math.round(plainMs * (1 + JITTER * random.next()));
    slot.keepOut('ejected', true);
    this.#ejected.set(
      slot,
      clock.after(forMs, () => this.#bringBack(slot)),
    );
    log.warn('an endpoint is ejected', { upstream: name, endpoint: slot.name, why, forMs });
  }

  #bringBack(slot: Slot): void {
    const { clock, log, name } = this.#parts;
    this.#forget(slot);
    slot.record.failuresInARow = 0;
    slot.record.backMs = clock.nowMs();
    slot.keepOut('ejected', false);
    log.info('an ejected endpoint is back', { upstream: name, endpoint: slot.name });
  }

  #forget(slot: Slot): void {
    this.#ejected.get(slot)?.cancel();
    this.#ejected.delete(slot);
  }

  /** Ejects those whose success rate is far below what is usual among the others. */
  #compare(): void {
    const slots = this.#parts.slots();
    const judged = slots.filter(({ record }) => record.good + record.bad >= MIN_ATTEMPTS);
    if (judged.length >= MIN_SLOTS) {
      const rates = judged.map(({ record }) => record.good / (record.good + record.bad));
      const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
      const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
      const least = mean - Math.max(MIN_GAP, DEVIATIONS * Math.sqrt(variance));
      for (const [at, slot] of judged.entries()) {
        if (rates[at]! >= least) continue;
        const percent = (rate: number) => `${(rate * 100).toFixed(1)}%`;
        const stretch = formatDuration(COMPARE_MS);
        this.#eject(slot, `${percent(rates[at]!)} answered well in ${stretch}, of all ${percent(mean)}`);
      }
    }
    for (const { record } of slots) {
      record.good = 0;
      record.bad = 0;
    }
  }
}
