/** What outlives configurations and is shared by them: upstreams, plugin instances, clocks, metrics, the log. */
import { dirname, resolve } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { createTable, type Table } from '../kernel/table.ts';
import { createWheel } from '../kernel/wheel.ts';
import type { Instance } from '../pipeline/instances.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { LiveUpstream, Machinery } from './live-upstream.ts';

export interface Estate extends Machinery {
  readonly upstreams: Table<LiveUpstream>;
  readonly instances: Table<Instance>;
  /** State that plugins share by name. */
  readonly shared: Table<unknown>;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Our name in Via: of this process alone, so that gateways in a row are no loop. */
  readonly viaName: string;
  /** The folder of gateway.yaml, which relative file names start from. */
  readonly folder: string;
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

/** State that a plugin shares may have something to close. */
const closeShared = async (value: unknown) => {
  if (typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function') {
    await value.close();
  }
};

/** Makes an empty estate; nothing is connected or listened on. */
export function createEstate(parts: EstateParts): Estate {
  const { clock, random, metrics, log } = parts;
  const logged = (what: string) => (error: unknown) => log.error(what, { error });
  return {
    clock,
    random,
    metrics,
    log,
    wheel: createWheel(clock),
    upstreams: createTable(({ upstream }) => {
      upstream.close(DRAIN_MS).catch(logged('an upstream could not be closed'));
    }),
    instances: createTable((instance) => {
      instance.dispose().catch(logged('a plugin could not be disposed of'));
    }),
    shared: createTable((value, key) => {
      closeShared(value).catch(logged(`the shared state "${key}" could not be closed`));
    }),
    viaName: `snowgate-${Buffer.from(random.bytes(4)).toString('hex')}`,
    folder: dirname(resolve(parts.file)),
  };
}
