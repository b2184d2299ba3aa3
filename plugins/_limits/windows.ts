/** Windows of a limit and the one arithmetic of them all: how many tokens a state gives, and what becomes of it. */

/**
 * A token bucket as GCRA (the generic cell rate algorithm, ITU-T I.371): its state is the time when it will be full.
 * Each token moves that time by `stepUs`, at most to `roomUs` from now.
 */
export interface Bucket {
  readonly kind: 'bucket';
  /** As the configuration has it, for headers and logs: `100/s`. */
  readonly text: string;
  /** Most tokens at once. */
  readonly limit: number;
  readonly stepUs: number;
  readonly roomUs: number;
}

/** A calendar window in UTC: its state is the window's beginning plus one for each token taken in it. */
export interface Quota {
  readonly kind: 'hour' | 'day' | 'month';
  readonly text: string;
  readonly limit: number;
  readonly stepUs: 1;
  readonly roomUs: number;
}

export type Window = Bucket | Quota;

/** One number a window, in the windows' order; missing ones are windows that nobody has used. */
export type State = number[];

/** Microseconds since `EPOCH_MS` by the wall for quotas, and by any steady clock for buckets. */
export interface Now {
  readonly steadyUs: number;
  readonly wallUs: number;
}

/** Where our microseconds begin: so near that doubles keep sixteenths of them until 2043. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);

/** Steps are whole sixteenths of a microsecond, rounded up, so that no sum is ever rounded and no limit exceeded. */
const GRAINS = 16;

const HOUR_US = 3_600_000_000;
const DAY_US = 24 * HOUR_US;

/** What was decided, valid until the next decision. */
export interface Decision {
  /** 0: refused. */
  granted: number;
  /** Until as many as were asked for can be had; 0 when granted. */
  waitUs: number;
  /** The window with the least left. */
  tightest: number;
  /** Tokens left in it. */
  remaining: number;
  /** Until it is as if nobody had come. */
  resetUs: number;
  /** Until all windows are. */
  idleUs: number;
}

/** @param burst most tokens at once, at least 1 */
export function bucket(count: number, perMs: number, burst: number, text: string): Bucket {
  const stepUs = Math.ceil(((perMs * 1000) / count) * GRAINS) / GRAINS;
  return { kind: 'bucket', text, limit: burst, stepUs, roomUs: burst * stepUs };
}

export function quota(limit: number, kind: Quota['kind'], text: string): Quota {
  return { kind, text, limit, stepUs: 1, roomUs: limit };
}

/** The limit shared by `nodes` that know nothing of each other: each takes its part, and at least one request. */
export function divided(window: Window, nodes: number, cost: number): Window {
  const limit = Math.max(cost, Math.floor(window.limit / nodes));
  if (window.kind !== 'bucket') return { ...window, limit, roomUs: limit };
  const stepUs = window.stepUs * nodes;
  return { ...window, limit, stepUs, roomUs: limit * stepUs };
}

const toUs = (ms: number): number => (ms - EPOCH_MS) * 1000;

/** The calendar window that a time is in: its beginning and its end. */
export function calendar(kind: Quota['kind'], wallUs: number): readonly [fromUs: number, endUs: number] {
  if (kind !== 'month') {
    const lengthUs = kind === 'hour' ? HOUR_US : DAY_US;
    const fromUs = Math.floor(wallUs / lengthUs) * lengthUs;
    return [fromUs, fromUs + lengthUs];
  }
  const day = new Date(wallUs / 1000 + EPOCH_MS);
  const [year, month] = [day.getUTCFullYear(), day.getUTCMonth()];
  return [toUs(Date.UTC(year, month, 1)), toUs(Date.UTC(year, month + 1, 1))];
}

/** Most windows of one limit, so that the arithmetic needs no memory of its own. */
export const MOST_WINDOWS = 8;
const froms = new Float64Array(MOST_WINDOWS);
const stands = new Float64Array(MOST_WINDOWS);
const ends = new Float64Array(MOST_WINDOWS);

const decision: Decision = { granted: 0, waitUs: 0, tightest: 0, remaining: 0, resetUs: 0, idleUs: 0 };

/** Finds where a window stands, and how many tokens it has left. */
const place = (window: Window, state: number | undefined, now: Now, at: number): number => {
  let fromUs = now.steadyUs;
  if (window.kind !== 'bucket') {
    const [beginUs, endUs] = calendar(window.kind, now.wallUs);
    fromUs = beginUs;
    ends[at] = endUs;
  }
  // What another clock or another limit has left behind counts as full or empty at most.
  const standsUs = Math.min(Math.max(state ?? fromUs, fromUs), fromUs + window.roomUs);
  froms[at] = fromUs;
  stands[at] = standsUs;
  return Math.floor((fromUs + window.roomUs - standsUs) / window.stepUs);
};

/**
 * Takes tokens from all windows or from none. The same as `TAKE` in take-script.ts, and held to the same vectors.
 * @param state is changed
 * @param want most tokens to take; negative gives tokens back
 * @param least fewer than these are refused
 * @returns an object that the next call writes to
 */
export function take(
  windows: readonly Window[],
  state: State,
  now: Now,
  [want, least]: readonly [want: number, least: number],
): Decision {
  let granted = want;
  decision.waitUs = 0;
  for (let at = 0; at < windows.length; at++) {
    const window = windows[at]!;
    const left = place(window, state[at], now, at);
    granted = Math.min(granted, left);
    if (left >= least) continue;
    const untilUs =
      window.kind === 'bucket'
        ? stands[at]! + least * window.stepUs - window.roomUs - froms[at]!
        : ends[at]! - now.wallUs;
    decision.waitUs = Math.max(decision.waitUs, untilUs);
  }
  if (granted < least) granted = 0;
  decision.granted = granted;
  decision.remaining = Number.POSITIVE_INFINITY;
  decision.idleUs = 0;
  for (let at = 0; at < windows.length; at++) {
    const window = windows[at]!;
    const fromUs = froms[at]!;
    const nextUs = Math.max(stands[at]! + granted * window.stepUs, fromUs);
    // Also when refused: a debt that was cut to an empty bucket must shrink from there.
    state[at] = nextUs;
    const left = Math.floor((fromUs + window.roomUs - nextUs) / window.stepUs);
    const resetUs = window.kind === 'bucket' ? nextUs - fromUs : ends[at]! - now.wallUs;
    decision.idleUs = Math.max(decision.idleUs, resetUs);
    if (left >= decision.remaining) continue;
    decision.tightest = at;
    decision.remaining = left;
    decision.resetUs = resetUs;
  }
  return decision;
}
