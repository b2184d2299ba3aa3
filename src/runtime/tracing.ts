/** Which trace ID a request gets, and which W3C trace it belongs to. */
import type { Config } from '../config/types.ts';
import { createRandomHex } from '../identity/random-hex.ts';
import { formatTraceparent, parseTraceparent, startTrace } from '../identity/traceparent.ts';
import type { Random } from '../kernel/random.ts';
import type { RequestHead } from '../wire/heads.ts';
import type { TraceSource, TraceSources } from './trace-sources.ts';

/** What a trusted caller may hand on: a decimal of 63 bits, or a UUID. */
const KNOWN_ID = /^(?:[1-9]\d{0,18}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;
const LAST_ID = 2n ** 63n - 1n;

export interface Tracing extends Pick<TraceSource, 'worker' | 'source'> {
  readonly ready: boolean;
  /** The trusted caller's ID, else a new one; null while none can be made. */
  idFor(head: RequestHead, trusted: boolean): string | null;
  /** A new ID; null while none can be made. */
  newId(): string | null;
  /** The caller's trace, as it came, or one that starts here; null where the request has none. */
  traceparentFor(head: RequestHead, trusted: boolean, id: string): string | null;
  /** Gives the source of IDs back, with its worker number. */
  close(): void;
}

export interface TracingParts {
  readonly random: Random;
  readonly traces: TraceSources;
}

const isKnownId = (id: unknown): id is string =>
  typeof id === 'string' &&
  KNOWN_ID.test(id) &&
  (id.length < 19 || id.includes('-') || BigInt(id) <= LAST_ID);

/**
 * Takes a source of IDs, the one in use where its settings are the same.
 * @throws Error where the worker number that the file gives is in use on this host
 */
export async function createTracing(config: Config, parts: TracingParts): Promise<Tracing> {
  const { trace } = config;
  const lease = await parts.traces.acquire(trace);
  const { ids, worker, source } = lease.value;
  const randomHex = createRandomHex(parts.random);
  // Without trusted proxies the gateway stands behind nobody, and any caller's trace is as good as another's.
  const believesAll = config.trustedProxies.length === 0;

  return {
    worker,
    source,
    get ready() {
      return ids.ready;
    },
    idFor(head, trusted) {
      if (trusted) {
        const given = head.fields['x-trace-id'];
        if (isKnownId(given)) return given;
      }
      return ids.next();
    },
    newId: () => ids.next(),
    traceparentFor(head, trusted, id) {
      const given = head.fields.traceparent;
      if (typeof given === 'string' && (trusted || believesAll) && parseTraceparent(given) !== null)
        return given;
      return trace.sample === null ? null : formatTraceparent(startTrace(id, trace.sample, randomHex));
    },
    close: () => lease.release(),
  };
}
