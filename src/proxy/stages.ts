/** Builds the stages of a response and catches what they throw, since nobody else on a socket's callback would. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Sink, Stage } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';

interface Owner {
  /** Ends the answer uncleanly. */
  cut(error: GatewayError): void;
}

class StageGuard implements Sink {
  readonly #next: Sink;
  readonly #owner: Owner;
  #over = false;

  constructor(next: Sink, owner: Owner) {
    this.#next = next;
    this.#owner = owner;
  }

  get ready(): (() => void) | null {
    return this.#next.ready;
  }

  set ready(run: (() => void) | null) {
    this.#next.ready = run;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    try {
      return this.#next.write(chunk);
    } catch (cause) {
      this.#threw(cause);
      return false;
    }
  }

  end(trailers: Fields | null): void {
    if (this.#over) return;
    try {
      this.#next.end(trailers);
      this.#over = true;
    } catch (cause) {
      this.#threw(cause);
    }
  }

  fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    try {
      this.#next.fail(error);
    } catch (cause) {
      this.#threw(cause);
    }
  }

  #threw(cause: unknown): void {
    this.#over = true;
    this.#owner.cut(gatewayError('GW_PLUGIN', `a response stage: ${String(cause)}`, cause));
  }
}

/** The first sink of the chain that ends in `last`; a throw in a stage cuts the owner. */
export function guardedStages(stages: readonly Stage[], last: Sink, owner: Owner): Sink {
  let sink = last;
  for (let at = stages.length - 1; at >= 0; at--) sink = stages[at]!(sink);
  return new StageGuard(sink, owner);
}
