/** How long the caller still waits: told to every attempt, and obeyed where a caller that is trusted tells it. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import { type Fields, fieldText } from '../wire/fields.ts';

/**
 * The one name of our deadline header. Envoy's, since sidecars and servers that know any know this one: whole
 * milliseconds, from the moment the request is sent.
 */
export const DEADLINE_FIELD = 'x-envoy-expected-rq-timeout-ms';
/** gRPC has its own, a part of its protocol: at most eight digits and a unit. */
const GRPC_FIELD = 'grpc-timeout';
const GRPC_UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
const GRPC_MOST = 99_999_999;

const isGrpc = (fields: Fields): boolean =>
  fieldText(fields, 'content-type')?.startsWith('application/grpc') === true;

const grpcMs = (text: string): number => {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]) * GRPC_UNIT_MS[match[2]!]!;
};

/** Takes out what the client says of deadlines: the upstream hears ours. */
export function dropDeadline(fields: Fields): void {
  if (fields[DEADLINE_FIELD] !== undefined) delete fields[DEADLINE_FIELD];
  if (fields[GRPC_FIELD] !== undefined) delete fields[GRPC_FIELD];
}

/** Milliseconds that the caller says it waits; Infinity when it says nothing that can be understood. */
export function askedTimeMs(fields: Fields): number {
  const own = fieldText(fields, DEADLINE_FIELD);
  const grpc = fieldText(fields, GRPC_FIELD);
  // Envoy sends 0 for no limit.
  const ownMs = own !== undefined && /^[1-9]\d{0,8}$/.test(own) ? Number(own) : Number.POSITIVE_INFINITY;
  return grpc === undefined ? ownMs : Math.min(ownMs, grpcMs(grpc));
}

/** How long a request may take by the configuration. */
export interface TimeLimits {
  /** From its start to the response head; 0 for no limit. */
  readonly timeoutMs: number;
  /** From its start to the last byte; null for no limit. */
  readonly maxDurationMs: number | null;
}

/** Monotonic time by which the response head of the exchange must be there; Infinity for none. */
export function deadlineOf(x: LiveExchange, limits: TimeLimits): number {
  let limitMs = limits.timeoutMs > 0 ? limits.timeoutMs : Number.POSITIVE_INFINITY;
  if (limits.maxDurationMs !== null && limits.maxDurationMs < limitMs) limitMs = limits.maxDurationMs;
  if (x.limitMs < limitMs) limitMs = x.limitMs;
  if (x.client.trusted) limitMs = Math.min(limitMs, askedTimeMs(x.received.fields));
  return x.startMs + limitMs;
}

/**
 * Writes the time that is left into the head of an attempt; nothing where there is no limit.
 * @param leftMs from now to the deadline
 */
export function tellDeadline(fields: Fields, leftMs: number): void {
  if (leftMs === Number.POSITIVE_INFINITY) return;
  const wholeMs = Math.max(1, Math.floor(leftMs));
  fields[DEADLINE_FIELD] = String(wholeMs);
  if (isGrpc(fields)) fields[GRPC_FIELD] = `${Math.min(GRPC_MOST, wholeMs)}m`;
}
