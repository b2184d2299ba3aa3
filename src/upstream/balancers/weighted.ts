/** Round-robin whose weights follow the load that endpoints report: whoever does more with less gets more. */
import { type Fields, fieldText } from '../../wire/fields.ts';
import type { ResponseHead } from '../../wire/heads.ts';
import { type LoadReport, parseLoadReport } from '../load-report.ts';
import type { Feedback, Slot } from '../slot.ts';
import type { Balancer, BalancerParts, Picker } from './balancer.ts';
import { createRoundRobin } from './round-robin.ts';

/** All times are in ticks: `lift` is called twice a second. */
const TICKS_PER_SECOND = 2;
/** A report counts in full that long, then less and less. */
const FRESH_TICKS = 10 * TICKS_PER_SECOND;
/** After that the endpoint has its static weight again. */
const STALE_TICKS = 30 * TICKS_PER_SECOND;
/** What a tick's reports change of what is known. */
const SMOOTHING = 0.2;
/** How far a weight may go from the mean, up and down. */
const MAX_LIFT = 10;

/** What one endpoint reported. */
class Load implements Feedback {
  readonly #header: string;
  /** Requests a second for a utilization of 1, smoothed; 0 before the first report. */
  capacity = 0;
  #staleTicks = 0;
  #lastText = '';
  #last: LoadReport | null = null;
  /** Since the last tick that had a report. */
  #answers = 0;
  /** Sums since the last tick. */
  #reports = 0;
  #rps = 0;
  #eps = 0;
  #utilization = 0;

  constructor(header: string) {
    this.#header = header;
  }

  answered(_tookMs: number, head: ResponseHead): void {
    this.#answers++;
    const text = takeField(head.fields, this.#header);
    if (text === undefined) return;
    if (text !== this.#lastText) {
      this.#lastText = text;
      this.#last = parseLoadReport(text);
    }
    if (this.#last === null) return;
    this.#reports++;
    this.#rps += this.#last.rps;
    this.#eps += this.#last.eps;
    this.#utilization += this.#last.utilization;
  }

  failed(): void {
    // A report is all that counts here; whoever fails is for health checks and ejection to find.
  }

  abandoned(): void {
    // As above.
  }

  /** How much of what is known still holds, 0 to 1. */
  get freshness(): number {
    if (this.capacity === 0) return 0;
    const late = Math.max(0, this.#staleTicks - FRESH_TICKS);
    return Math.max(0, 1 - late / (STALE_TICKS - FRESH_TICKS));
  }

  tick(): void {
    if (this.#reports === 0) this.#staleTicks++;
    else {
      const now = this.#measure();
      // After a long silence nothing of before is worth keeping.
      const known = this.freshness === 0 ? now : this.capacity;
      this.capacity = known + (now - known) * SMOOTHING;
      this.#staleTicks = 0;
      this.#answers = 0;
    }
    this.#reports = 0;
    this.#rps = 0;
    this.#eps = 0;
    this.#utilization = 0;
  }

  /**
   * The formula of gRPC's weighted round robin (gRFC A58), by which errors count as utilization. An endpoint that
   * does not tell its rate is taken at the rate of our own calls.
   */
  #measure(): number {
    const ownRate = (this.#answers * TICKS_PER_SECOND) / (this.#staleTicks + 1);
    const rps = this.#rps > 0 ? this.#rps / this.#reports : ownRate;
    const failing = Math.min(1, this.#eps / this.#reports / rps);
    return rps / (this.#utilization / this.#reports + failing);
  }
}

/** Takes it out of the answer: how loaded our endpoints are is nothing to clients. */
const takeField = (fields: Fields, name: string): string | undefined => {
  const text = fieldText(fields, name);
  if (text !== undefined) delete fields[name];
  return text;
};

class Weighted implements Balancer {
  readonly #header: string;
  readonly #turns: Balancer;
  #loads: ReadonlyMap<Slot, Load> = new Map();

  constructor(header: string, turns: Balancer) {
    this.#header = header;
    this.#turns = turns;
  }

  build(slots: readonly Slot[]): Picker {
    const before = this.#loads;
    this.#loads = new Map(slots.map((slot) => [slot, before.get(slot) ?? new Load(this.#header)]));
    for (const [slot, load] of this.#loads) slot.feedback = load;
    return this.#turns.build(slots);
  }

  /**
   * Capacities are shares, not weights: they are scaled so that those who report have the same mean as their static
   * weights, and stand beside the others as before.
   */
  lift(): void {
    let weights = 0;
    let capacities = 0;
    let reporting = 0;
    for (const [slot, load] of this.#loads) {
      load.tick();
      if (load.freshness === 0 || slot.spec.weight === 0) continue;
      weights += slot.spec.weight;
      capacities += load.capacity;
      reporting++;
    }
    const scale = weights / capacities;
    const mean = weights / reporting;
    for (const [slot, load] of this.#loads) {
      const { freshness } = load;
      if (freshness === 0 || slot.spec.weight === 0) slot.lift = 1;
      else {
        const wanted = Math.min(mean * MAX_LIFT, Math.max(mean / MAX_LIFT, load.capacity * scale));
        slot.lift = 1 + freshness * (wanted / slot.spec.weight - 1);
      }
    }
  }
}

/**
 * Weighted round robin by reported load.
 * @param header name of the field of answers that carries the report, in lower case
 */
export function createWeighted(parts: BalancerParts, header: string): Balancer {
  return new Weighted(header, createRoundRobin(parts));
}
