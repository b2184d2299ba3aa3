/** Active health checks: asks each endpoint again and again, and takes it out while it does not answer well. */
import type { HealthOptions } from '../config/resilience-options.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { PluginLogger } from '../plugin.ts';
import type { Probe } from '../transport/probe.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';
import type { Slot } from './slot.ts';

/** A new endpoint is asked within this, and not all of them at the same moment. */
const FIRST_MS = 1000;

export interface HealthParts {
  /** Of the upstream. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: PluginLogger;
  /** Makes what asks one endpoint. */
  readonly probe: (spec: EndpointSpec, options: HealthOptions) => Probe;
  /** Told that the checks of an endpoint pass again. */
  readonly recovered: (slot: Slot) => void;
}

/** The checks of one endpoint so far, for people. */
export interface HealthState {
  /** `new` until the first check is over; a new endpoint takes traffic. */
  readonly status: 'new' | 'up' | 'down';
  /** What was wrong at the last check; empty when nothing was. */
  readonly problem: string;
  readonly passed: number;
  readonly failed: number;
}

/** The checks of one endpoint. */
class Checks implements HealthState {
  status: HealthState['status'] = 'new';
  problem = '';
  passed = 0;
  failed = 0;
  readonly #slot: Slot;
  readonly #options: HealthOptions;
  readonly #parts: HealthParts;
  readonly #probe: Probe;
  #timer: Timer;
  /** How many in a row went as the last one did. */
  #row = 0;

  constructor(slot: Slot, options: HealthOptions, parts: HealthParts) {
    this.#slot = slot;
    this.#options = options;
    this.#parts = parts;
    this.#probe = parts.probe(slot.spec, options);
    // Of checks with other settings, before a reload.
    if (slot.isOut('unhealthy')) this.status = 'down';
    const firstMs = parts.random.next() * Math.min(FIRST_MS, options.intervalMs);
    this.#timer = parts.clock.after(firstMs, () => this.#ask());
  }

  close(): void {
    this.#timer.cancel();
    this.#probe.close();
  }

  #ask(): void {
    const { clock, random } = this.#parts;
    const { intervalMs, jitter } = this.#options;
    const spread = 1 + jitter * (2 * random.next() - 1);
    const nextMs = clock.nowMs() + intervalMs * spread;
    this.#probe.ask((problem) => {
      this.#heard(problem);
      this.#timer = clock.after(nextMs - clock.nowMs(), () => this.#ask());
    });
  }

  #heard(problem: string | null): void {
    const passed = problem === null;
    this.#row = passed === (this.problem === '') ? this.#row + 1 : 1;
    this.problem = problem ?? '';
    if (passed) this.#passed();
    else this.#failed();
  }

  #passed(): void {
    this.passed++;
    if (this.status === 'new') this.status = 'up';
    if (this.status === 'up' || this.#row < this.#options.rise) return;
    this.status = 'up';
    this.#slot.keepOut('unhealthy', false);
    this.#parts.recovered(this.#slot);
    const { log, name } = this.#parts;
    log.info('an endpoint is healthy again', { upstream: name, endpoint: this.#slot.name });
  }

  #failed(): void {
    this.failed++;
    // One that has never passed is not trusted for long.
    if (this.status === 'down' || (this.status === 'up' && this.#row < this.#options.fall)) return;
    this.status = 'down';
    this.#slot.keepOut('unhealthy', true);
    const { log, name } = this.#parts;
    log.warn('an endpoint is unhealthy', {
      upstream: name,
      endpoint: this.#slot.name,
      why: this.problem,
      failed: this.#row,
    });
  }
}

export class Health {
  readonly options: HealthOptions;
  readonly #parts: HealthParts;
  readonly #checks = new Map<Slot, Checks>();

  constructor(options: HealthOptions, parts: HealthParts) {
    this.options = options;
    this.#parts = parts;
  }

  /** Begins to ask the new, and leaves alone who is gone. */
  update(slots: readonly Slot[]): void {
    const present = new Set(slots);
    for (const [slot, checks] of this.#checks) {
      if (present.has(slot)) continue;
      checks.close();
      this.#checks.delete(slot);
    }
    for (const slot of slots) {
      if (!this.#checks.has(slot)) this.#checks.set(slot, new Checks(slot, this.options, this.#parts));
    }
  }

  /** Null for an endpoint that is not asked. */
  of(slot: Slot): HealthState | null {
    return this.#checks.get(slot) ?? null;
  }

  /** Asks nobody any more; what it found stays until somebody finds otherwise. */
  close(): void {
    for (const checks of this.#checks.values()) checks.close();
    this.#checks.clear();
  }
}
