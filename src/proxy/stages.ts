/** Builds the stages of a body and catches what they throw, since nobody else on a socket's callback would. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink, Stage } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import { PassingSink } from '../wire/passing-sink.ts';

interface Owner {
  /** Ends the body uncleanly. */
  cut(error: GatewayError): void;
}

/** The failure of a stage that threw. */
export function stageError(cause: unknown): GatewayError {
  return gatewayError('GW_PLUGIN', `a stage of the body: ${String(cause)}`, cause);
}

class StageGuard extends PassingSink {
  readonly #owner: Owner;
  #over = false;

  constructor(next: Sink, owner: Owner) {
    super(next);
    this.#owner = owner;
  }

  override write(chunk: Uint8Array): boolean {
    if (this.#over) return false;
    try {
      return super.write(chunk);
    } catch (cause) {
      this.#threw(cause);
      return false;
    }
  }

  override end(trailers: Fields | null): void {
    if (this.#over) return;
    try {
      super.end(trailers);
      this.#over = true;
    } catch (cause) {
      this.#threw(cause);
    }
  }

  override fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    try {
      super.fail(error);
    } catch (cause) {
      this.#threw(cause);
    }
  }

  #threw(cause: unknown): void {
    this.#over = true;
    this.#owner.cut(stageError(cause));
  }
}

/** The first sink of the chain that ends in `last`; a throw in a stage cuts the owner. */
export function guardedStages(stages: readonly Stage[], last: Sink, owner: Owner): Sink {
  let sink = last;
  for (let at = stages.length - 1; at >= 0; at--) sink = stages[at]!(sink);
  return new StageGuard(sink, owner);
}

const NOWHERE: Sink = { ready: null, write: () => false, end() {}, fail() {} };

/**
 * The stages of a request body as one: a throw in it stops the source and fails the reader with GW_PLUGIN.
 * @param source what flows through them
 */
export function guardedStage(stages: readonly Stage[], source: Body): Stage {
  return (next) => {
    const cut = (error: GatewayError) => {
      source.cancel(error);
      next.fail(error);
    };
    try {
      return guardedStages(stages, next, { cut });
    } catch (cause) {
      cut(stageError(cause));
      return NOWHERE;
    }
  };
}
