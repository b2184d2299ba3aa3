/** Lets so many requests of a key in at once: counted here, or in Redis by all gateways together. */
import type { Host } from 'snowgate/plugin';
import { type Line, Places, type Ticket } from './places.ts';
import { SharedLine } from './shared-line.ts';
import { SharedPlaces } from './shared-places.ts';

export interface GateSettings {
  /** Of the instance: whoever has the same name counts together. */
  readonly name: string;
  readonly line: Line;
  readonly isShared: boolean;
}

/** What is kept in Redis, and who waits here for it. */
interface Shared {
  readonly places: SharedPlaces;
  readonly line: SharedLine;
}

const openShared = (
  { isShared, line }: GateSettings,
  { redis: link, clock, random }: Host,
): Shared | null => {
  if (!isShared || link === null) return null;
  const places = new SharedPlaces({ link, clock, random });
  const up = (key: string) => link.up(key);
  return { places, line: new SharedLine({ places, up, clock, random, ...line }) };
};

export class Gate {
  readonly #settings: GateSettings;
  readonly #host: Host;
  readonly #places: Places;
  readonly #release: () => void;
  readonly #shared: Shared | null;
  readonly #prefix: string;

  private constructor(settings: GateSettings, host: Host, lease: { value: Places; release(): void }) {
    this.#settings = settings;
    this.#host = host;
    this.#places = lease.value;
    this.#release = () => lease.release();
    this.#shared = openShared(settings, host);
    this.#prefix = `${host.redis?.prefix ?? ''}:in-flight:${settings.name}:`;
  }

  /** Who is in stays counted through edits of the configuration. */
  static async open(settings: GateSettings, host: Host): Promise<Gate> {
    return new Gate(settings, host, await host.shared(settings.name, () => new Places(host.clock)));
  }

  /** Gives true, or a promise of it, for a request that is in. Whatever comes out, the ticket must leave. */
  enter(ticket: Ticket): boolean | Promise<boolean> {
    const { line } = this.#settings;
    if (this.#shared === null) return this.#places.enter(ticket, line);
    const key = this.#keyOf(ticket);
    // Who comes while a line goes over to this gateway's part goes behind it.
    return this.#host.redis!.up(key) || !this.#shared.line.isEmpty(key)
      ? this.#enterShared(this.#shared, ticket, key)
      : this.#enterPart(ticket, line.timeoutMs);
  }

  leave(ticket: Ticket): void {
    if (this.#shared !== null) this.#leaveShared(this.#shared, ticket);
    this.#places.leave(ticket);
  }

  close(): void {
    this.#shared?.places.close();
    this.#release();
  }

  async #enterShared({ places, line }: Shared, ticket: Ticket, key: string): Promise<boolean> {
    const { clock } = this.#host;
    const sinceMs = clock.nowMs();
    let member: string | null;
    try {
      // Nobody overtakes those who wait here.
      member = line.isEmpty(key) ? await places.enter(key, ticket.limit) : null;
      if (member === null && ticket.phase === 'new') member = await line.join(ticket, key, ticket.limit);
    } catch {
      // Why is told once by the connection, which sees every failure.
      const leftMs = this.#settings.line.timeoutMs - (clock.nowMs() - sinceMs);
      return ticket.phase === 'new' && this.#enterPart(ticket, leftMs);
    }
    if (member === null) return false;
    ticket.member = member;
    if (ticket.phase === 'out') {
      // The client left meanwhile.
      this.#leaveShared({ places, line }, ticket);
      return false;
    }
    // Counted here too, for the time when Redis is gone.
    this.#places.count(ticket);
    return true;
  }

  #leaveShared({ places, line }: Shared, ticket: Ticket): void {
    const key = this.#keyOf(ticket);
    const { member } = ticket;
    ticket.member = '';
    if (member === '') line.drop(ticket, key);
    else if (!line.pass(key, member)) places.leave(key, member);
  }

  /** While Redis is gone each gateway has its part. */
  #enterPart(ticket: Ticket, timeoutMs: number): boolean | Promise<boolean> {
    ticket.isPart = true;
    ticket.limit = Math.max(1, Math.floor(ticket.limit / this.#host.redis!.nodes));
    return this.#places.enter(ticket, { most: this.#settings.line.most, timeoutMs: Math.max(0, timeoutMs) });
  }

  #keyOf(ticket: Ticket): string {
    return `${this.#prefix}{${ticket.key}}`;
  }
}
