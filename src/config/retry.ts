/** The keys under `retry`: what is tried again within one request, when, and how much of that there may be. */
import { z } from 'zod';
import { duration, durationOrOff, form, integer, percent, Refusal } from './forms.ts';
import { section } from './shapes.ts';

export type RetryCause = 'connect' | 'reset' | 'timeout' | number;

export interface Retry {
  /** All tries, the first included. */
  readonly attempts: number;
  readonly on: readonly RetryCause[];
  /** Retries as a part of requests, 0 to 1. */
  readonly budget: number;
  /** Longest time of one try until its head; null: only the request as a whole is limited. */
  readonly perTryMs: number | null;
  /** When a GET that has no answer yet is sent to a second endpoint; null: never. */
  readonly hedgeAfterMs: number | null;
  /** Longest `Retry-After` that is waited for. */
  readonly maxRetryAfterMs: number;
}

const cause = form<RetryCause>({
  form: '`connect`, `reset`, `timeout` or a status from 400 to 599',
  json: {
    anyOf: [{ enum: ['connect', 'reset', 'timeout'] }, { type: 'integer', minimum: 400, maximum: 599 }],
  },
  takes: ['string', 'number'],
  remedy: 'Choose from connect, reset, timeout, or a status from 400 to 599.',
  read: (value) => {
    if (value === 'connect' || value === 'reset' || value === 'timeout') return value;
    const status = Number(value);
    return Number.isInteger(status) && status >= 400 && status <= 599
      ? status
      : new Refusal('is no cause to try again');
  },
});

export const retry = section({
  attempts: integer(1, 10).prefault(2).describe('All tries, the first included.'),
  on: z.array(cause).prefault(['connect', 'reset']).describe('What is tried again, where it is safe.'),
  budget: percent().prefault('20%').describe('Retries as a part of requests, at most.'),
  perTry: durationOrOff()
    .prefault('off')
    .describe('Longest time of one try until its response head; a try past it is tried again.'),
  hedgeAfter: durationOrOff()
    .prefault('off')
    .describe('When a GET without an answer is sent to a second endpoint too; the first answer wins.'),
  maxRetryAfter: duration(0)
    .prefault('2s')
    .describe('Longest Retry-After that is waited for; an answer that asks for more is passed on.'),
});

/** The options as the gateway reads them. */
export function readRetry(input: z.output<typeof retry>): Retry {
  const { perTry, hedgeAfter, maxRetryAfter, ...rest } = input;
  return { ...rest, perTryMs: perTry, hedgeAfterMs: hedgeAfter, maxRetryAfterMs: maxRetryAfter };
}
