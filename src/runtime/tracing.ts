/** Which trace ID a request gets, and which W3C trace it belongs to. */
import type { Config } from '../config/types.ts';
import type { IdGenerator, ReadinessHooks } from '../identity/id-generator.ts';
import { createRandomHex } from '../identity/random-hex.ts';
import { createSnowflake } from '../identity/snowflake.ts';
import { formatTraceparent, parseTraceparent, startTrace } from '../identity/traceparent.ts';
import { createUuid7 } from '../identity/uuid7.ts';
import { chooseWorker, type WorkerNumber } from '../identity/worker.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RequestHead } from '../wire/heads.ts';

/** What a trusted caller may hand on: a decimal of 63 bits, or a UUID. */
const KNOWN_ID = /^(?:[1-9]\d{0,18}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

export interface Tracing {
  readonly ready: boolean;
  readonly worker: number;
  readonly source: WorkerNumber['source'] | 'none';
  /** The trusted caller's ID, else a new one; null while none can be made. */
  idFor(head: RequestHead, trusted: boolean): string | null;
  /** The caller's trace, as it came, or one that starts here; null where the request has none. */
  traceparentFor(head: RequestHead, trusted: boolean, id: string): string | null;
  /** Gives the worker number back. */
  close(): Promise<void>;
}

export interface TracingParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const readiness = (log: Logger): ReadinessHooks => ({
  onNotReady: ({ reason, waitMs }) =>
    log.error('no trace IDs can be made: requests are refused until the clock has caught up', {
      reason,
      waitMs,
    }),
  onReady: () => log.info('trace IDs can be made again'),
});

const createGenerator = (trace: Config['trace'], worker: number, parts: TracingParts): IdGenerator => {
  const { clock, random, log } = parts;
  if (trace.id === 'uuid')
    return createUuid7({ clock, randomHex: createRandomHex(random), ...readiness(log) });
  const { epochMs, bits, datacenter } = trace;
  return createSnowflake({ clock, epochMs, bits, datacenter, worker, ...readiness(log) });
};

/**
 * Takes a worker number and makes the source of IDs.
 * @throws Error where the number that the file gives is in use on this host
 */
export async function createTracing(config: Config, parts: TracingParts): Promise<Tracing> {
  const { trace } = config;
  const held =
    trace.id === 'uuid'
      ? null
      : await chooseWorker({
          wanted: trace.worker,
          datacenter: trace.datacenter,
          bits: trace.bits.worker,
          random: parts.random,
          warn: (message) => parts.log.warn(message),
        });
  const ids = createGenerator(trace, held?.worker ?? 0, parts);
  const randomHex = createRandomHex(parts.random);
  // Without trusted proxies the gateway stands behind nobody, and any caller's trace is as good as another's.
  const believesAll = config.trustedProxies.length === 0;

  return {
    get ready() {
      return ids.ready;
    },
    worker: held?.worker ?? 0,
    source: held?.source ?? 'none',
    idFor(head, trusted) {
      if (trusted) {
        const given = head.fields['x-trace-id'];
        if (typeof given === 'string' && KNOWN_ID.test(given)) return given;
      }
      return ids.next();
    },
    traceparentFor(head, trusted, id) {
      const given = head.fields.traceparent;
      if (typeof given === 'string' && (trusted || believesAll) && parseTraceparent(given) !== null)
        return given;
      return trace.sample === null ? null : formatTraceparent(startTrace(id, trace.sample, randomHex));
    },
    close: () => held?.release() ?? Promise.resolve(),
  };
}

/** Two configurations with the same text here share one source of IDs. */
export function tracingKey(config: Config): string {
  return JSON.stringify([config.trace, config.trustedProxies.length === 0]);
}
