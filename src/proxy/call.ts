/** One call to an upstream: pick an endpoint, try it, try another where that is safe. */
import type { Upstream } from '../upstream/upstream.ts';
import type { Call, Flight, Receiver, Transport } from '../wire/transport.ts';
import type { Tunnel, TunnelReceiver } from '../wire/tunnel.ts';
import type { CallParts } from './attempt.ts';
import { type RunOptions, SendRun } from './attempt-send.ts';
import { TunnelRun } from './attempt-tunnel.ts';
import { HedgedRun, mayHedge } from './hedge.ts';
import { ONE_TRY, RetryPolicy } from './retry.ts';

export type { CallParts };

/** The way into an upstream. */
export interface UpstreamTransport extends Transport, Tunnel {
  /** Where calls go first. */
  readonly upstream: Upstream;
  /** False while a call would find nobody there who is thought to be well. */
  usable(): boolean;
}

class UpstreamCall implements UpstreamTransport {
  readonly upstream: Upstream;
  readonly parts: CallParts;
  #policy: RetryPolicy;
  /** The options that the policy was made of; an update of the upstream brings others. */
  #of: Upstream['options']['retry'];

  constructor(upstream: Upstream, parts: CallParts) {
    this.upstream = upstream;
    this.parts = parts;
    this.#of = upstream.options.retry;
    this.#policy = new RetryPolicy(this.#of);
  }

  get policy(): RetryPolicy {
    const { retry } = this.upstream.options;
    if (retry !== this.#of) {
      this.#of = retry;
      this.#policy = new RetryPolicy(retry);
    }
    return this.#policy;
  }

  usable(): boolean {
    return this.upstream.usable;
  }

  send(call: Call, to: Receiver): Flight {
    const run = mayHedge(call, this.policy) ? new HedgedRun(to, call, this) : new SendRun(to, call, this);
    run.start();
    return run;
  }

  connect(call: Call, to: TunnelReceiver): Flight {
    const run = new TunnelRun(to, call, this);
    run.start();
    return run;
  }

  close(graceMs: number): Promise<void> {
    return this.upstream.close(graceMs);
  }
}

class SingleTry implements Transport {
  readonly #options: RunOptions;

  constructor(upstream: Upstream, parts: CallParts) {
    this.#options = { upstream, parts, policy: ONE_TRY };
  }

  send(call: Call, to: Receiver): Flight {
    const run = new SendRun(to, call, this.#options);
    run.start();
    return run;
  }

  close(graceMs: number): Promise<void> {
    return this.#options.upstream.close(graceMs);
  }
}

/** Makes a way into an upstream on which nothing is ever tried again, whatever its options say. */
export function createSingleTry(upstream: Upstream, parts: CallParts): Transport {
  return new SingleTry(upstream, parts);
}

/**
 * Makes the way into an upstream. The receiver may hear its end before `send` returns (no endpoint, say), and
 * then the flight is over already. `close` closes the upstream.
 */
export function createCall(upstream: Upstream, parts: CallParts): UpstreamTransport {
  return new UpstreamCall(upstream, parts);
}
