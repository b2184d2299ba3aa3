/** Lets so many requests of a key in at once: counted here, or in Redis by all gateways together. */
import type { Host } from 'snowgate/plugin';
import { type Line, Places, type Ticket } from './places.ts';
import { SharedPlaces } from './shared-places.ts';

export interface GateSettings {
  /** Of the instance: whoever has the same name counts together. */
  readonly name: string;
  readonly line: Line;
  readonly isShared: boolean;
}

export class Gate {
  readonly #settings: GateSettings;
  readonly #host: Host;
  readonly #places: Places;
  readonly #release: () => void;
  readonly #shared: SharedPlaces | null;
  readonly #prefix: string;

  private constructor(settings: GateSettings, host: Host, lease: { value: Places; release(): void }) {
    const { redis: link, clock, random } = host;
    this.#settings = settings;
    this.#host = host;
    this.#places = lease.value;
    this.#release = () => lease.release();
    this.#shared = settings.isShared && link !== null ? new SharedPlaces({ link, clock, random }) : null;
    this.#prefix = `${link?.prefix ?? ''}:in-flight:${settings.name}:`;
  }

  /** Who is in stays counted through edits of the configuration. */
  static async open(settings: GateSettings, host: Host): Promise<Gate> {
    return new Gate(settings, host, await host.shared(settings.name, () => new Places(host.clock)));
  }

  /** Gives true, or a promise of it, for a request that is in. Whatever comes out, the ticket must leave. */
  enter(ticket: Ticket): boolean | Promise<boolean> {
    if (this.#shared === null) return this.#places.enter(ticket, this.#settings.line);
    const key = this.#keyOf(ticket);
    return this.#host.redis!.up(key) ? this.#enterShared(this.#shared, ticket, key) : this.#enterPart(ticket);
  }

  leave(ticket: Ticket): void {
    if (ticket.member !== '') this.#shared?.leave(this.#keyOf(ticket), ticket.member);
    this.#places.leave(ticket);
  }

  close(): void {
    this.#shared?.close();
    this.#release();
  }

  async #enterShared(shared: SharedPlaces, ticket: Ticket, key: string): Promise<boolean> {
    let member: string | null;
    try {
      member = await shared.enter(key, ticket.limit);
    } catch {
      // Why is told once by the connection, which sees every failure.
      return ticket.phase === 'new' && this.#enterPart(ticket);
    }
    if (member === null) return false;
    if (ticket.phase === 'out') {
      // The client left meanwhile.
      shared.leave(key, member);
      return false;
    }
    ticket.member = member;
    // Counted here too, for the time when Redis is gone.
    this.#places.count(ticket);
    return true;
  }

  /** While Redis is gone each gateway has its part. */
  #enterPart(ticket: Ticket): boolean | Promise<boolean> {
    ticket.limit = Math.max(1, Math.floor(ticket.limit / this.#host.redis!.nodes));
    return this.#places.enter(ticket, this.#settings.line);
  }

  #keyOf(ticket: Ticket): string {
    return `${this.#prefix}{${ticket.key}}`;
  }
}
