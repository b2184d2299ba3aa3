/** Reads what steers a route's traffic beside its upstream, with its checks. */
import type { z } from 'zod';
import { compileWord, WordError } from '../wire/words.ts';
import type { Report } from './report.ts';
import { resolveUpstream, type ShareScope } from './shares.ts';
import type { Fault, Mirror, Traffic } from './traffic-options.ts';
import type { trafficShape } from './traffic-schema.ts';
import type { ConfigPath } from './types.ts';

type TrafficInput = z.output<z.ZodObject<typeof trafficShape>>;

const checkWords = (report: Report, when: Readonly<Record<string, string>>, path: ConfigPath): void => {
  for (const key of Object.keys(when))
    try {
      compileWord(key);
    } catch (error) {
      if (!(error instanceof WordError)) throw error;
      report.onKey([...path, key], {
        message: `${report.showKey([...path, key])} cannot be looked up`,
        remedy: `${error.message[0]!.toUpperCase()}${error.message.slice(1)}.`,
      });
    }
};

const readFault = (
  report: Report,
  input: NonNullable<TrafficInput['fault']>,
  { path, timeoutMs }: { path: ConfigPath; timeoutMs: number },
): Fault => {
  const { delay, abort, when } = input;
  checkWords(report, when, [...path, 'when']);
  const idle = delay === undefined && abort === undefined;
  if (idle)
    report.on(path, { message: 'the fault does nothing', remedy: 'Give it a `delay`, an `abort`, or both.' });
  if (delay !== undefined && delay >= timeoutMs)
    report.warn([...path, 'delay'], {
      message: "this is as long as the route's `timeout`: every request that it hits ends in 504",
    });
  if (!idle && Object.keys(when).length === 0 && input.percent > 0)
    report.warn(path, {
      message: 'the fault has no `when`: it hits requests of everybody',
      remedy: 'Name who asks for it, as in `when: { header.x-chaos: "on" }`.',
    });
  return {
    delayMs: delay ?? 0,
    abort: abort ?? null,
    percent: input.percent,
    when: Object.assign(Object.create(null), when),
  };
};

const readMirror = (
  scope: ShareScope,
  input: NonNullable<TrafficInput['mirror']>,
  { path, upstreams }: { path: ConfigPath; upstreams: readonly string[] },
): Mirror | null => {
  const { report } = scope;
  const at = [...path, 'upstream'];
  const name = resolveUpstream(scope, input.upstream, { path: at, key: false });
  if (name === null) return null;
  if (upstreams.length === 0)
    report.on(path, {
      message: 'there is nothing to copy: the route has no `upstream`',
      remedy: 'Take it out.',
    });
  if (upstreams.includes(name))
    report.on(at, {
      message: 'the requests go there already, and it would do everything twice',
      remedy: 'Name another upstream.',
    });
  return { upstream: name, percent: input.percent };
};

/**
 * Reads the keys of one route; mistakes are reported.
 * @param route where it stands, and what the keys are held against: its timeout and the names of its upstreams
 */
export function readTraffic(
  scope: ShareScope,
  input: TrafficInput,
  route: { path: ConfigPath; timeoutMs: number; upstreams: readonly string[] },
): Traffic {
  const { report } = scope;
  if (input.splitBy !== undefined && route.upstreams.length < 2)
    report.warn([...route.path, 'splitBy'], {
      message: '`splitBy` does nothing: the route has no split',
      remedy: 'Give `upstream` a map of names to weights.',
    });
  const { timeoutMs, upstreams } = route;
  return {
    splitBy: input.splitBy ?? null,
    mirror:
      input.mirror === undefined
        ? null
        : readMirror(scope, input.mirror, { path: [...route.path, 'mirror'], upstreams }),
    fault:
      input.fault === undefined
        ? null
        : readFault(report, input.fault, { path: [...route.path, 'fault'], timeoutMs }),
  };
}
