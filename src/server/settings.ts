/** What one listener's connections share: its limits, timeouts, and whom to call. */
import type { Clock } from '../kernel/clock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import type { Wheel } from '../kernel/wheel.ts';
import type { Serve } from '../wire/downstream.ts';
import type { Peer } from '../wire/heads.ts';

export interface ListenerLimits {
  /** All field lines of one request head together. */
  readonly headerBytes: number;
  /** Field lines of one request head. */
  readonly headerCount: number;
  readonly urlBytes: number;
  /** Connections held at once; the next ones are answered 503. */
  readonly connections: number;
}

export interface ListenerTimeouts {
  /** From the connection, or the first byte of a later request, to the end of the head. */
  readonly headersMs: number;
  /** Without a byte of a request body that is being read. */
  readonly bodyIdleMs: number;
  /** Between the end of an answer and the head of the next request. */
  readonly keepAliveMs: number;
  /** With bytes waiting that the client does not take. */
  readonly writeIdleMs: number;
}

/**
 * Called for every request that the listener answers by itself, for the log and the metrics.
 * @param traceId of the exchange that it had become; empty for none
 * @returns the trace ID that the answer names, or an empty string
 */
export type Refused = (error: GatewayError, peer: Peer, traceId: string) => string;

/** Mutable, so that a reload reaches the connections that are already open. */
export interface Settings {
  serve: Serve;
  limits: ListenerLimits;
  draining: boolean;
  readonly refused: Refused;
  readonly timeouts: ListenerTimeouts;
  readonly clock: Clock;
  readonly wheel: Wheel;
}
