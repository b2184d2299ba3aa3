/** The access log: one line a request, built by hand and written in batches. */
import type { Clock, Timer } from '../kernel/clock.ts';
import type { LogDestination } from './destination.ts';
import type { Outcome } from './outcome.ts';
import { createPrettyLine } from './pretty.ts';
import { jsonText, millisText, NameTexts, TimeText } from './text.ts';

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

const BATCH_SIZE = 16 * 1024;
const BATCH_MS = 100;

/** Makes the function that prints an outcome as one JSON line; the fields are those of `log-fields.ts`. */
export function createJsonLine(): (o: Outcome) => string {
  const times = new TimeText();
  const names = new NameTexts();
  return (o) => {
    // One expression a group: V8 joins short texts fastest when it sees them together.
    let line =
      `{"log":"access","time":"${times.iso(o.startWallMs)}","traceId":"${o.id}","method":${names.get(o.method)},` +
      `"host":${jsonText(o.host)},"path":${jsonText(o.path)},"query":${o.hasQuery},"version":"${o.version}",` +
      `"status":${o.status},"code":"${o.code}","closing":"${o.closing}","durationMs":${millisText(o.totalMs)}`;
    if (o.upstreamMs >= 0) line += `,"upstreamMs":${millisText(o.upstreamMs)}`;
    if (o.gatewayMs >= 0) line += `,"gatewayMs":${millisText(o.gatewayMs)}`;
    line += `,"inBytes":${o.inBytes},"outBytes":${o.outBytes},"route":${names.get(o.route)}`;
    if (o.upstream !== '') line += `,"upstream":${names.get(o.upstream)}`;
    if (o.endpoint !== '') line += `,"endpoint":${names.get(o.endpoint)}`;
    line += `,"attempts":${o.attempts},"client":"${o.client}"`;
    if (o.userAgent !== '') line += `,"userAgent":${jsonText(o.userAgent)}`;
    if (o.principal !== '') line += `,"principal":${jsonText(o.principal)}`;
    if (o.receivedId !== '') line += `,"receivedTraceId":${jsonText(o.receivedId)}`;
    if (o.w3cId !== '') line += `,"w3cTraceId":"${o.w3cId}"`;
    return `${line}}\n`;
  };
}

/**
 * Makes an access log. Lines are gathered and handed to the destination as soon as 16 KiB are together or
 * 100 ms have passed; when the destination is full they are dropped and counted, so memory stays bounded.
 */
export function createAccessLog(options: AccessLogOptions): AccessLog {
  const { destination, clock } = options;
  const print = options.pretty ? createPrettyLine() : createJsonLine();
  let batch = '';
  let lines = 0;
  let dropped = 0;
  let timer: Timer | null = null;

  const flush = () => {
    timer?.cancel();
    timer = null;
    if (lines === 0) return;
    if (!destination.write(batch)) {
      dropped += lines;
      options.onDropped?.(lines);
    }
    batch = '';
    lines = 0;
  };

  return {
    write(outcome) {
      batch += print(outcome);
      lines++;
      if (batch.length >= BATCH_SIZE) flush();
      else if (timer === null) timer = clock.after(BATCH_MS, flush);
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
