/** Sends the heads of answers whose first bytes are late, once a turn of the event loop for all connections. */

interface Late {
  /** Sends the head if it has not left yet. */
  flushHead(): void;
}

let waiting: Late[] = [];
let other: Late[] = [];

/** An event stream may be silent for minutes after its head: it is told of at the end of this turn. */
export function flushLater(late: Late): void {
  if (waiting.push(late) === 1) setImmediate(flush);
}

function flush(): void {
  const now = waiting;
  waiting = other;
  for (const late of now) late.flushHead();
  now.length = 0;
  other = now;
}
