/** How many calls an upstream and each of its endpoints have at once, and who waits until there is a place. */
import { isDeepStrictEqual } from 'node:util';
import type { ConcurrencyOptions } from '../config/resilience-options.ts';
import type { Clock } from '../kernel/clock.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { AdaptiveLimit } from './adaptive-limit.ts';
import type { Slot } from './slot.ts';
import { WaitingLine } from './waiting-line.ts';

/** A call that may have to wait. */
export interface Waiter {
  /** What its place is picked by. */
  pick(): Slot | null;
  /** The slot has a place for it now. */
  seated(slot: Slot): void;
  /** It will get none. */
  turnedAway(error: GatewayError): void;
}

export interface PlacesParts {
  readonly clock: Clock;
  readonly random: Random;
  /** The present members. */
  readonly slots: () => readonly Slot[];
}

export class Places {
  readonly #parts: PlacesParts;
  readonly #line: WaitingLine<Waiter>;
  /** Wants the latency of each attempt; null where the limits are as they are written. */
  #limiter: AdaptiveLimit | null = null;
  #options: ConcurrencyOptions;
  /** Attempts at all endpoints, the gone ones included; streams are not among them. */
  #taken = 0;
  #seating = false;

  constructor(options: ConcurrencyOptions, parts: PlacesParts) {
    this.#options = options;
    this.#parts = parts;
    this.#limiter = options.adaptive && new AdaptiveLimit(options.adaptive, parts);
    this.#line = new WaitingLine<Waiter>(lineOf(options), parts.clock, (waiter, error) =>
      waiter.turnedAway(error),
    );
  }

  /** Those who wait now. */
  get waiting(): number {
    return this.#line.size;
  }

  get limiter(): AdaptiveLimit | null {
    return this.#limiter;
  }

  /** Of the whole upstream, now; Infinity where there is none. */
  get limit(): number {
    const written = this.#options.upstream ?? Number.POSITIVE_INFINITY;
    return this.#limiter === null ? written : Math.min(written, this.#limiter.limit);
  }

  /** True while the whole upstream has as many as it may. */
  get full(): boolean {
    return this.#taken >= this.limit;
  }

  /** True when waiting may help: somebody waits already, or the reason for having no place is that they are taken. */
  get crowded(): boolean {
    if (this.#line.size > 0 || this.full) return true;
    return this.#parts.slots().some((slot) => slot.full && slot.weight > 0);
  }

  /** Puts other limits in force; calls that are under way or wait go on. */
  update(options: ConcurrencyOptions): void {
    this.#options = options;
    if (!isDeepStrictEqual(options.adaptive, this.#limiter?.options ?? null))
      this.#limiter = options.adaptive && new AdaptiveLimit(options.adaptive, this.#parts);
    this.#line.limits = lineOf(options);
    for (const slot of this.#parts.slots()) slot.limit(options.endpoint, options.streams);
    this.#seatSoon();
  }

  /** Joins the queue, from where the waiter is seated or turned away; an error says that there is no room in it. */
  wait(waiter: Waiter, deadlineMs: number): GatewayError | null {
    const error = this.#line.join(waiter, deadlineMs);
    // An endpoint may have become usable since somebody last looked.
    if (error === null) this.#seatSoon();
    return error;
  }

  /** The waiter does not want a place any more. */
  giveUp(waiter: Waiter): void {
    this.#line.leave(waiter);
  }

  /** An attempt begins. */
  take(slot: Slot): void {
    this.#taken++;
    this.#limiter?.took(this.#taken);
    slot.take();
  }

  /** It ends. */
  free(slot: Slot, isStream: boolean): void {
    if (!isStream) this.#taken--;
    slot.free(isStream);
    if (this.#line.size > 0) this.#seatSoon();
  }

  /** The attempt has become a stream, which gives its place back; false where there are too many of them already. */
  stream(slot: Slot): boolean {
    if (!slot.stream()) return false;
    this.#taken--;
    if (this.#line.size > 0) this.#seatSoon();
    return true;
  }

  /** Nobody gets a place any more. */
  close(): void {
    this.#line.dissolve(gatewayError('GW_STOPPING', 'the upstream is being closed'));
  }

  /** Not at once: whoever frees a place is still inside the parser of a connection. */
  #seatSoon(): void {
    if (this.#seating || this.#line.size === 0) return;
    this.#seating = true;
    queueMicrotask(() => {
      this.#seating = false;
      this.#seat();
    });
  }

  #seat(): void {
    for (let first = this.#line.first; first !== null; first = this.#line.first) {
      const slot = first.pick();
      if (slot === null) return;
      this.#line.leave(first);
      first.seated(slot);
    }
  }
}

const lineOf = ({ queue, queueTimeoutMs }: ConcurrencyOptions) => ({ maxQueue: queue, queueTimeoutMs });
