/** How an upstream is kept healthy, with every default filled in. */

/** From one status to another, both included. */
export type StatusRange = readonly [first: number, last: number];

export interface HealthOptions {
  readonly type: 'http' | 'tcp' | 'grpc';
  readonly path: string;
  /** Null: the endpoint's own. */
  readonly port: number | null;
  /** Host field to send; null: the endpoint's name. */
  readonly host: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Of gRPC; '' asks for the whole server. */
  readonly service: string;
  readonly expect: readonly StatusRange[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failed checks in a row that take an endpoint out. */
  readonly fall: number;
  /** Passed checks in a row that bring it back. */
  readonly rise: number;
  /** Part of the interval by which each check may be earlier or later, 0 to 1. */
  readonly jitter: number;
}

export interface OutlierOptions {
  readonly failures: number;
  readonly ejectForMs: number;
  readonly maxEjectForMs: number;
}

export type BreakerCause = 'connect' | 'reset' | 'timeout' | '5xx' | number;

export interface BreakerOptions {
  /** Part of the calls that fail, 0 to 1. */
  readonly errorRate: number;
  readonly slowAfterMs: number;
  /** Part of the calls that are slow; null: slowness alone opens nothing. */
  readonly slowRate: number | null;
  /** Calls in the window before it is judged. */
  readonly minimum: number;
  readonly windowMs: number;
  readonly openForMs: number;
  readonly on: readonly BreakerCause[];
}

export interface AdaptiveOptions {
  /** Part of the latency without load by which calls may take longer, 0 and more. */
  readonly tolerance: number;
  /** Calls that are always let through. */
  readonly min: number;
}

export interface ConcurrencyOptions {
  readonly endpoint: number;
  /** Of the whole upstream; null: no limit but those of its endpoints. */
  readonly upstream: number | null;
  /** Null: the limits are as they are written. */
  readonly adaptive: AdaptiveOptions | null;
  readonly streams: number;
  readonly queue: number;
  readonly queueTimeoutMs: number;
}

export interface Resilience {
  /** Null: nobody asks. */
  readonly health: HealthOptions | null;
  readonly outlier: OutlierOptions | null;
  readonly breaker: BreakerOptions | null;
  readonly concurrency: ConcurrencyOptions;
}
