/** What one finished request leaves for the access log and the metrics. */
import type { GatewayCode } from '../kernel/errors.ts';
import type { Closing } from '../wire/downstream.ts';

/**
 * Read once, right after the last byte, and never kept: whoever makes it may reuse one object for all requests.
 * Texts are '' and durations -1 where there is nothing to tell.
 */
export interface Outcome {
  /** Wall time of the request's start, milliseconds since 1970. */
  readonly startWallMs: number;
  /** From the request's head to the last byte. */
  readonly totalMs: number;
  /** Spent waiting for the upstream; -1 when none was asked. */
  readonly upstreamMs: number;
  /** The rest: what the gateway itself took; -1 when unknown. */
  readonly gatewayMs: number;
  /** The trace ID of this request. */
  readonly id: string;
  /** The trace ID that the client claimed in `x-trace-id`, or ''. */
  readonly receivedId: string;
  /** The W3C trace ID (32 hex digits) of a continued or started trace, or ''. */
  readonly w3cId: string;
  readonly method: string;
  readonly host: string;
  /** Without the query, which may hold secrets. */
  readonly path: string;
  readonly hasQuery: boolean;
  /** HTTP version of the client's side: `1.0`, `1.1` or `2`. */
  readonly version: string;
  /** What the client was sent, or 499 when it left before. */
  readonly status: number;
  readonly code: GatewayCode | '-';
  /** What the code doesn't say, in a few words, or ''. */
  readonly detail: string;
  /** What it had to do without: words of `DEGRADED` with spaces between them, or ''. */
  readonly degraded: string;
  readonly closing: Closing;
  /** Bytes of bodies, without heads and framing. */
  readonly inBytes: number;
  readonly outBytes: number;
  readonly route: string;
  readonly upstream: string;
  /** Of the last attempt. */
  readonly endpoint: string;
  readonly attempts: number;
  /** How each part of an aggregate ended: `user;code=-;dur=12.3, orders;…`. */
  readonly parts: string;
  /** The client's address. */
  readonly client: string;
  readonly userAgent: string;
  readonly principal: string;
}
