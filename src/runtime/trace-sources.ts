/** The makers of trace IDs, kept while their settings stay: a second one of the same worker would repeat IDs. */
import type { Config } from '../config/types.ts';
import type { IdGenerator, ReadinessHooks } from '../identity/id-generator.ts';
import { createRandomHex } from '../identity/random-hex.ts';
import { createSnowflake } from '../identity/snowflake.ts';
import { createUuid7 } from '../identity/uuid7.ts';
import type { WorkerNumber } from '../identity/worker.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { createTable, type Lease } from '../kernel/table.ts';
import type { Logger } from '../telemetry/logger.ts';
import { WorkerNumbers } from './worker-numbers.ts';

export interface TraceSource {
  readonly ids: IdGenerator;
  readonly worker: number;
  readonly source: WorkerNumber['source'] | 'none';
}

export interface TraceSources {
  /** @throws Error where the worker number that the file gives is in use on this host */
  acquire(trace: Config['trace']): Promise<Lease<TraceSource>>;
}

export interface TraceSourcesParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Takes over the promise of a worker number that is being given back. */
  readonly closing: (work: Promise<void>) => void;
}

interface Held extends TraceSource {
  readonly number: Lease<WorkerNumber> | null;
}

const readiness = (log: Logger): ReadinessHooks => ({
  onNotReady: ({ reason, waitMs }) =>
    log.error('no trace IDs can be made: requests are refused until the clock has caught up', {
      reason,
      waitMs,
    }),
  onReady: () => log.info('trace IDs can be made again'),
});

/** Makes the set of sources, empty at first. */
export function createTraceSources(parts: TraceSourcesParts): TraceSources {
  const { clock, random, log, closing } = parts;
  const numbers = new WorkerNumbers({ random, closing, warn: (message) => log.warn(message) });
  const sources = createTable<Held>(({ number }) => number?.release());

  const open = async (trace: Config['trace']): Promise<Held> => {
    const hooks = readiness(log);
    if (trace.id === 'uuid') {
      const ids = createUuid7({ clock, randomHex: createRandomHex(random), ...hooks });
      return { ids, worker: 0, source: 'none', number: null };
    }
    const number = await numbers.take(trace);
    const { worker, source } = number.value;
    const { epochMs, bits, datacenter } = trace;
    const ids = createSnowflake({ clock, epochMs, bits, datacenter, worker, ...hooks });
    return { ids, worker, source, number };
  };

  return {
    acquire(trace) {
      const { id, epochMs, bits, datacenter, worker } = trace;
      return sources.acquire(JSON.stringify([id, epochMs, bits, datacenter, worker]), () => open(trace));
    },
  };
}
