/** Names endpoints to clients by tags that nobody can make up, so that a client can come back to one, but not choose it. */
import { createHmac } from 'node:crypto';
import { isUsable, type Slot } from './slot.ts';

/** 132 bits: nobody finds one by trying. */
const TAG_CHARACTERS = 22;

export class Sticky {
  readonly secret: string;
  readonly #upstream: string;
  #byTag = new Map<string, Slot>();
  #tags = new Map<string, string>();

  /** @param secret the same in all gateways that share clients */
  constructor(upstream: string, secret: string) {
    this.#upstream = upstream;
    this.secret = secret;
  }

  update(slots: readonly Slot[]): void {
    const before = this.#tags;
    this.#tags = new Map(slots.map(({ name }) => [name, before.get(name) ?? this.#make(name)]));
    this.#byTag = new Map(slots.map((slot) => [this.#tags.get(slot.name)!, slot]));
  }

  /** The slot of a tag, or null where that can take no call now, or never was. */
  find(tag: string): Slot | null {
    const slot = this.#byTag.get(tag);
    return slot !== undefined && isUsable(slot, null) ? slot : null;
  }

  /** The tag of `host:port`, or null where that is none of the endpoints any more. */
  tagOf(endpoint: string): string | null {
    return this.#tags.get(endpoint) ?? null;
  }

  #make(endpoint: string): string {
    const mac = createHmac('sha256', this.secret).update(`${this.#upstream}\n${endpoint}`);
    return mac.digest('base64url').slice(0, TAG_CHARACTERS);
  }
}
