/** The keys of load shedding: when the process cannot keep up, and which routes go without first. */
import type { z } from 'zod';
import { durationOrOff, percentOrOff } from './forms.ts';
import { choice, section } from './shapes.ts';

export type Priority = 'low' | 'normal' | 'high';

export interface ShedOptions {
  /** How late the event loop may be; null: however late. */
  readonly delayMs: number | null;
  /** Part of the memory that may be used, 0 to 1; null: all of it. */
  readonly memory: number | null;
}

export const shed = section({
  delay: durationOrOff()
    .prefault('300ms')
    .describe('How late the event loop may be before requests are refused, those of low priority first.'),
  memory: percentOrOff()
    .prefault('90%')
    .describe(
      "Part of the memory (of the heap, and of the container or the machine) from which on it's the same.",
    ),
});

export const priority = choice('low', 'normal', 'high')
  .prefault('normal')
  .describe('Who is refused first while the gateway cannot keep up: low, then normal, and high never.');

export function readShed({ delay, memory }: z.output<typeof shed>): ShedOptions {
  return { delayMs: delay, memory };
}
