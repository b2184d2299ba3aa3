/** What outlives configurations and is shared by them: upstreams, plugin instances, clocks, metrics, the log. */
import { dirname, resolve } from 'node:path';
import type { RedisConnection } from '../clients/redis.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { createTable, type Table } from '../kernel/table.ts';
import { createWheel } from '../kernel/wheel.ts';
import type { Instance } from '../pipeline/instances.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { LiveUpstream, Machinery } from './live-upstream.ts';
import { Registries } from './registries.ts';
import { createTraceSources, type TraceSources } from './trace-sources.ts';

export interface Estate extends Machinery {
  readonly upstreams: Table<LiveUpstream>;
  readonly registries: Registries;
  readonly instances: Table<Instance>;
  /** State that plugins share by name. */
  readonly shared: Table<unknown>;
  /** By what they connect to. */
  readonly redis: Table<RedisConnection>;
  readonly traces: TraceSources;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Our name in Via: of this process alone, so that gateways in a row are no loop. */
  readonly viaName: string;
  /** The folder of gateway.yaml, which relative file names start from. */
  readonly folder: string;
  /** Waits until everything that was given back is closed, at most `CLOSE_MS`, and stops the wheel. */
  close(): Promise<void>;
}

export interface EstateParts {
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** How long calls on an upstream that is gone may take before they are cut. */
const DRAIN_MS = 300_000;
/** How long plugins and connections may take to close at the end; by then no request is left. */
const CLOSE_MS = 5000;

/** State that a plugin shares may have something to close. */
const closeShared = async (value: unknown) => {
  if (typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function') {
    await value.close();
  }
};

/** Makes an empty estate; nothing is connected or listened on. */
export function createEstate(parts: EstateParts): Estate {
  const { clock, random, metrics, log } = parts;
  const closing = new Set<Promise<void>>();
  const track = (what: string, work: Promise<void>) => {
    const tracked: Promise<void> = work
      .catch((error: unknown) => log.error(what, { error }))
      .finally(() => closing.delete(tracked));
    closing.add(tracked);
  };
  const wheel = createWheel(clock);
  const folder = dirname(resolve(parts.file));
  return {
    clock,
    random,
    metrics,
    log,
    wheel,
    upstreams: createTable((live) => track('an upstream could not be closed', live.close(DRAIN_MS))),
    registries: new Registries({ clock, random, log, folder, closing: track }),
    instances: createTable((instance) => track('a plugin could not be disposed of', instance.dispose())),
    shared: createTable((value, key) =>
      track(`the shared state "${key}" could not be closed`, closeShared(value)),
    ),
    redis: createTable((redis) => track('Redis could not be left', redis.close())),
    traces: createTraceSources({
      clock,
      random,
      log,
      closing: (work) => track('a worker number could not be given back', work),
    }),
    viaName: `snowgate-${Buffer.from(random.bytes(4)).toString('hex')}`,
    folder,
    async close() {
      let late = false;
      const over = Promise.withResolvers<void>();
      const timer = clock.after(CLOSE_MS, () => {
        late = true;
        over.resolve();
      });
      // A plugin that is disposed of may give shared state back: then there is more to wait for.
      while (closing.size > 0 && !late) await Promise.race([Promise.all(closing), over.promise]);
      timer.cancel();
      wheel.stop();
    },
  };
}
