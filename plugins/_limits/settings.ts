/** What a limit says in the configuration: rates, bursts, quotas and plans, read into windows. */
import { parseRate, z } from 'snowgate/plugin';
import { bucket, MOST_WINDOWS, type Quota, quota, type Window } from './windows.ts';

/** More than one token a microsecond limits nothing, and cannot be counted. */
const MOST_PER_SECOND = 1_000_000;
const MOST_BURST = 1_000_000_000;
/** A bucket that takes longer to fill is a quota. */
const LONGEST_FILL_MS = 366 * 86_400_000;
const QUOTA = /^(\d{1,10}) ?\/ ?(h|hour|d|day|month)$/;

const rate = z
  .string()
  .refine((text) => parseRate(text) !== null, 'must be a rate such as 100/s, 10/min or 100/10s')
  .refine((text) => {
    const read = parseRate(text);
    return read === null || (read.count * 1000) / read.perMs <= MOST_PER_SECOND;
  }, 'must be at most 1000000/s');

const burst = z.int().min(1).max(MOST_BURST);

const quotaText = z
  .string()
  .refine(
    (text) => Number(QUOTA.exec(text)?.[1] ?? 0) > 0,
    'must be a quota such as 10000/day, 100/hour or 1000000/month',
  )
  .refine((text) => Number(QUOTA.exec(text)?.[1] ?? 0) <= MOST_BURST, 'must be at most 1000000000');

const window = z.strictObject({
  rate: rate.describe('Tokens in a time: `100/s`, `10/min`, `100/10s`.'),
  burst: burst.optional().describe('Most at once; default: the count of `rate`.'),
});

/** The keys of one set of windows; a plan has the same as the limit itself. */
export const limitShape = {
  rate: rate.optional().describe('Tokens in a time: `100/s`, `10/min`, `100/10s`.'),
  burst: burst.optional().describe('Most at once; default: the count of `rate`.'),
  windows: z
    .array(window)
    .max(MOST_WINDOWS - 2)
    .default([])
    .describe('Further rates that hold at the same time, each with `rate` and `burst`.'),
  quota: quotaText.optional().describe('A number in a calendar hour, day or month in UTC: `10000/day`.'),
};

export type LimitInput = z.output<z.ZodObject<typeof limitShape>>;

export const checkLimit = (value: LimitInput, context: z.core.$RefinementCtx): void => {
  const issue = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (value.rate === undefined && value.burst !== undefined) issue(['burst'], 'needs a `rate` beside it');
  if (value.rate === undefined && value.quota === undefined && value.windows.length === 0)
    issue([], 'needs a `rate`, `windows` or a `quota`');
  for (const each of [value, ...value.windows]) {
    if (each.rate === undefined) continue;
    const read = parseRate(each.rate);
    if (read === null) continue;
    if (((each.burst ?? read.count) / read.count) * read.perMs > LONGEST_FILL_MS)
      issue(['burst'], `would take over a year to fill at ${each.rate}: use a \`quota\``);
  }
};

/** Keys of a limit without plans. */
export const limitKeys = z.strictObject(limitShape).superRefine(checkLimit);

const KINDS: Readonly<Record<string, Quota['kind']>> = {
  h: 'hour',
  hour: 'hour',
  d: 'day',
  day: 'day',
  month: 'month',
};

const readBucket = (text: string, most: number | undefined): Window => {
  const { count, perMs } = parseRate(text)!;
  return bucket(count, perMs, most ?? Math.max(1, Math.ceil(count)), text);
};

/** The windows that hold at the same time; at least one. */
export function readWindows(input: LimitInput): Window[] {
  const read = input.windows.map((each) => readBucket(each.rate, each.burst));
  if (input.rate !== undefined) read.unshift(readBucket(input.rate, input.burst));
  if (input.quota !== undefined) {
    const [, count, unit] = QUOTA.exec(input.quota)!;
    read.push(quota(Number(count), KINDS[unit!]!, input.quota.replaceAll(' ', '')));
  }
  return read;
}
