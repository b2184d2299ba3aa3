/** The access log: one line a request, built by hand and written in batches. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { LogDestination } from './destination.ts';
import { createJsonLine } from './json-line.ts';
import type { Outcome } from './outcome.ts';
import { createPrettyLine } from './pretty.ts';

export interface AccessLog {
  /** Adds the request's line; it is written within 100 ms. */
  write(outcome: Outcome): void;
  /** Hands over what has been gathered. */
  flush(): void;
  /** Hands over what has been gathered and waits until it is written, at most `waitMs` (default 1000). */
  stop(waitMs?: number): Promise<void>;
  /** Lines lost because the reader of the log was too slow. */
  readonly dropped: number;
}

export interface AccessLogOptions {
  readonly destination: LogDestination;
  readonly clock: Clock;
  /** One short coloured line for people instead of JSON. */
  readonly pretty?: boolean;
  /** Told of each batch that was lost, in lines. */
  readonly onDropped?: (lines: number) => void;
}

const BATCH_SIZE = 64 * 1024;
const BATCH_MS = 100;

/**
 * Makes an access log. Lines are gathered and handed to the destination as soon as 64 KiB are together or
 * 100 ms have passed; when the destination is full they are dropped and counted, so memory stays bounded.
 */
export function createAccessLog(options: AccessLogOptions): AccessLog {
  const { destination, clock } = options;
  const print = options.pretty ? createPrettyLine() : createJsonLine();
  let batch = Buffer.allocUnsafeSlow(BATCH_SIZE);
  let used = 0;
  let lines = 0;
  let dropped = 0;
  let timer: Timer | null = null;

  const hand = (bytes: Uint8Array, count: number) => {
    if (destination.write(bytes)) return;
    dropped += count;
    options.onDropped?.(count);
  };

  const flush = () => {
    timer?.cancel();
    timer = null;
    if (lines === 0) return;
    // The destination keeps what it was given until it is written, so the next batch is a new one.
    const full = batch.subarray(0, used);
    const count = lines;
    batch = Buffer.allocUnsafeSlow(BATCH_SIZE);
    used = 0;
    lines = 0;
    hand(full, count);
  };

  return {
    write(outcome) {
      const line = print(outcome);
      // No character of a string takes more than 3 bytes in UTF-8.
      const most = line.length * 3;
      if (used + most > BATCH_SIZE) flush();
      if (most > BATCH_SIZE) {
        hand(Buffer.from(line), 1);
        return;
      }
      // Written at once, line by line: texts that wait as trees of pieces are dear to collect.
      used += batch.write(line, used);
      lines++;
      if (timer === null) timer = clock.after(BATCH_MS, flush);
    },
    flush,
    async stop(waitMs = 1000) {
      flush();
      await destination.flush(waitMs);
    },
    get dropped() {
      return dropped;
    },
  };
}
