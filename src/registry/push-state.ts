/** The instances of a push registry on disk, so that a restart of the gateway forgets nobody. */
import { join } from 'node:path';
import { z } from 'zod';
import type { PluginLogger } from '../plugin.ts';
import type { RegisteredEndpoint } from './registry.ts';
import { storedEndpoint } from './snapshots.ts';
import { createStateFile } from './state-file.ts';

export interface KeptInstance {
  readonly service: string;
  readonly endpoint: RegisteredEndpoint;
  readonly ttlMs: number;
}

export interface PushState {
  /** Empty where there is nothing, or nothing that can be read, which is then told. */
  read(): Promise<readonly KeptInstance[]>;
  write(instances: readonly KeptInstance[]): void;
  flush(): Promise<void>;
}

const kept = z.object({
  version: z.literal(1),
  instances: z.array(
    z.object({ service: z.string(), endpoint: storedEndpoint, ttlMs: z.number().min(1000) }),
  ),
});

/** Makes the state of the push registry of that name. */
export function createPushState(stateDir: string, name: string, log: PluginLogger): PushState {
  let warned = false;
  const file = createStateFile(join(stateDir, `push-${name}.json`), (error) => {
    if (!warned)
      log.warn('the state folder cannot be written: after a restart, services must enter themselves anew', {
        stateDir,
        error: error.message,
      });
    warned = true;
  });
  return {
    async read() {
      try {
        const text = await file.read();
        return text === null ? [] : kept.parse(JSON.parse(text)).instances;
      } catch (error) {
        log.warn('the instances of before the restart cannot be read', {
          error: error instanceof Error ? error.message.split('\n')[0] : String(error),
        });
        return [];
      }
    },
    write: (instances) => file.write(`${JSON.stringify({ version: 1, instances })}\n`),
    flush: () => file.flush(),
  };
}
