/** The keys that steer a route's traffic beside its upstream: `splitBy` and `fault`. */
import type { z } from 'zod';
import { compileWord, WordError } from '../wire/words.ts';
import { word } from './balance.ts';
import { duration, integer, percent, text } from './forms.ts';
import type { Report } from './report.ts';
import { section, table } from './shapes.ts';
import type { Fault, Traffic } from './traffic-options.ts';
import type { ConfigPath } from './types.ts';

const fault = section({
  delay: duration().optional().describe('How long the request waits before it goes on.'),
  abort: integer(400, 599).optional().describe('Status to answer with instead of sending the request on.'),
  percent: percent().prefault('100%').describe('Part of the requests that it hits.'),
  when: table(text({ form: 'text' })).describe(
    'Words such as `header.x-chaos` and the values they must have; without any, it hits everybody.',
  ),
});

/** The keys of a route. */
export const trafficShape = {
  splitBy: word()
    .optional()
    .describe('What decides which upstream of a split a request goes to, always the same one.'),
  fault: fault.optional().describe('A fault made on purpose, to see what happens.'),
};

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

/**
 * Reads the keys of one route; mistakes are reported.
 * @param route where it stands, and what the keys are held against
 */
export function readTraffic(
  report: Report,
  input: TrafficInput,
  route: { path: ConfigPath; timeoutMs: number; upstreamCount: number },
): Traffic {
  if (input.splitBy !== undefined && route.upstreamCount < 2)
    report.warn([...route.path, 'splitBy'], {
      message: '`splitBy` does nothing: the route has no split',
      remedy: 'Give `upstream` a map of names to weights.',
    });
  const { timeoutMs } = route;
  return {
    splitBy: input.splitBy ?? null,
    fault:
      input.fault === undefined
        ? null
        : readFault(report, input.fault, { path: [...route.path, 'fault'], timeoutMs }),
  };
}
