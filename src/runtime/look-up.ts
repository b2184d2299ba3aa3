/** Asks registries once where services are, for commands that only look. */
import { dirname, resolve } from 'node:path';
import type { Config } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';
import { Registries, whyEmpty } from './registries.ts';

export interface Looked {
  readonly endpoints: readonly EndpointSpec[];
  /** Why there are none; null where there are some. */
  readonly why: string | null;
}

export interface LookParts {
  /** Path of gateway.yaml. */
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The endpoints of these upstreams: those that the file names, or that a registry says now or (where it is down) said
 * last. Waits for a short time only.
 */
export async function lookUp(
  config: Config,
  upstreams: readonly string[],
  parts: LookParts,
): Promise<ReadonlyMap<string, Looked>> {
  const closing: Promise<void>[] = [];
  const registries = new Registries({
    ...parts,
    folder: dirname(resolve(parts.file)),
    closing: (_what, work) => void closing.push(work),
  });
  const found = new Map<string, Looked>();
  for (const name of upstreams) {
    const { discover, targets } = config.upstreams[name]!;
    if (discover === null) {
      found.set(name, { endpoints: targets, why: null });
      continue;
    }
    const lease = await registries.follow(config.registries[discover.registry]!, discover, {
      stateDir: config.stateDir,
      redis: null,
    });
    await registries.settled([lease.value]);
    const { endpoints } = lease.value.membership;
    found.set(name, { endpoints, why: endpoints.length === 0 ? whyEmpty(lease.value) : null });
    lease.release();
  }
  while (closing.length > 0) await closing.pop();
  return found;
}
