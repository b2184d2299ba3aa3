/** The traceparent header of W3C Trace Context: read, continued, or started from a trace ID of ours. */
import type { RandomHex } from './random-hex.ts';

export const SAMPLED = 1;
/** The right-hand 56 bits of the trace ID are random (Trace Context Level 2, section 3.2.2.5). */
export const RANDOM = 2;

export interface TraceParent {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** 16 lower-case hexadecimal digits. */
  readonly parentId: string;
  /** Bits of SAMPLED and RANDOM; the others are not ours to pass on. */
  readonly flags: number;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;

/** Reads a header's value; null where it is not valid, which means: start anew. Later versions are read as far as known. */
export function parseTraceparent(text: string): TraceParent | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const [, version, traceId, parentId, flags, rest] = match;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (ZEROS.test(traceId!) || ZEROS.test(parentId!)) return null;
  return {
    traceId: traceId!,
    parentId: parentId!,
    flags: Number.parseInt(flags!, 16) & (SAMPLED | RANDOM),
  };
}

/** The header's value, in version 00. */
export function formatTraceparent(trace: TraceParent): string {
  return `00-${trace.traceId}-${trace.parentId}-0${trace.flags}`;
}

/**
 * The same trace with us as the parent: the trace ID and both flags stay as the caller set them.
 * Only for a gateway that reports a span of that ID; otherwise the caller's header goes on as it came, since a
 * parent that nobody reports tears the trace apart.
 */
export function continueTrace(trace: TraceParent, randomHex: RandomHex): TraceParent {
  return { traceId: trace.traceId, parentId: randomHex(), flags: trace.flags };
}

const traceIdOf = (id: string, randomHex: RandomHex): string => {
  if (id.length === 36) return id.replaceAll('-', '');
  return BigInt(id).toString(16).padStart(16, '0') + randomHex();
};

/** The random part as a fraction from 0 to 1, as samplers downstream see it; its 52 high bits are exact. */
const fractionOf = (traceId: string): number => Number.parseInt(traceId.slice(18, 31), 16) / 2 ** 52;

/**
 * A new trace whose ID shows ours: a Snowflake is its high 64 bits, over 64 random ones; a UUID is all of it.
 * Sampled by the random part against `ratio` (0 to 1), so that samplers downstream which use it the same way agree.
 */
export function startTrace(id: string, ratio: number, randomHex: RandomHex): TraceParent {
  const traceId = traceIdOf(id, randomHex);
  const sampled = fractionOf(traceId) >= 1 - ratio;
  return { traceId, parentId: randomHex(), flags: RANDOM | (sampled ? SAMPLED : 0) };
}
