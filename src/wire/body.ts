/** Bodies on the way: who writes (Sink), who is read (Body), and what stands between (Stage). */
import type { GatewayError } from '../kernel/errors.ts';
import type { Fields } from './fields.ts';

export interface Sink {
  /** False means: wait for `ready` before the next write. What was given is taken either way. */
  write(chunk: Uint8Array): boolean;
  /** The clean end; exactly one of `end` and `fail` is called, once. */
  end(trailers: Fields | null): void;
  /** The unclean end: what came out must never look whole. */
  fail(error: GatewayError): void;
  /** Set by the writer; called when a refused sink can take more. */
  ready: (() => void) | null;
}

export interface Body {
  /** Bytes if known beforehand, else null. */
  readonly length: number | null;
  /** Starts the flow into the sink. Once; a replay body again. */
  read(into: Sink): void;
  /** Stops the flow and frees what feeds it. Idempotent; nothing more reaches the sink. */
  cancel(why: GatewayError): void;
}

/** A change of a body: limit, tee, compress, rewrite. */
export type Stage = (next: Sink) => Sink;
