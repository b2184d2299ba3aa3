/** What a registry said last, kept on disk, so that a gateway can start while the registry is down. */
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { PluginLogger } from '../plugin.ts';
import type { RegisteredEndpoint, ServiceQuery } from './registry.ts';
import { createStateFile, type StateFile } from './state-file.ts';

export interface Snapshot {
  readonly endpoints: readonly RegisteredEndpoint[];
  /** Wall time. */
  readonly takenMs: number;
}

export interface Snapshots {
  /** Null where there is none, or none that can be read, which is then told. */
  read(query: ServiceQuery): Promise<Snapshot | null>;
  /** In the background; a disk that is full or read-only is a warning. */
  write(query: ServiceQuery, snapshot: Snapshot): void;
  flush(query: ServiceQuery): Promise<void>;
}

/** An endpoint on disk. */
export const storedEndpoint = z.object({
  id: z.string(),
  scheme: z.enum(['http', 'https']),
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  weight: z.number().min(0),
  zone: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
});

const stored = z.object({
  version: z.literal(1),
  takenMs: z.number(),
  endpoints: z.array(storedEndpoint),
});

/** Of names, what every file system takes; the digest tells those apart that look the same then. */
const fileName = (registry: string, { service, options }: ServiceQuery): string => {
  const plain = `${registry}-${service}`.replace(/[^A-Za-z0-9.-]/g, '_').slice(0, 100);
  return `${plain}-${hash('sha256', JSON.stringify([registry, service, options])).slice(0, 12)}.json`;
};

/**
 * Makes the snapshots of one registry.
 * @param stateDir absolute; made when there is something to write
 */
export function createSnapshots(stateDir: string, registry: string, log: PluginLogger): Snapshots {
  const files = new Map<string, StateFile>();
  let warned = false;

  const fileOf = (query: ServiceQuery): StateFile => {
    const path = join(stateDir, 'registries', fileName(registry, query));
    let file = files.get(path);
    if (file === undefined) {
      file = createStateFile(path, (error) => {
        if (!warned)
          log.warn('the state folder cannot be written: after a restart, a registry that is down is missed', {
            stateDir,
            error: error.message,
          });
        warned = true;
      });
      files.set(path, file);
    }
    return file;
  };

  return {
    async read(query) {
      try {
        const text = await fileOf(query).read();
        return text === null ? null : stored.parse(JSON.parse(text));
      } catch (error) {
        log.warn('a snapshot cannot be read, and is passed over', {
          service: query.service,
          error: error instanceof Error ? error.message.split('\n')[0] : String(error),
        });
        return null;
      }
    },
    write(query, { endpoints, takenMs }) {
      const kept = { version: 1, service: query.service, takenMs, endpoints };
      fileOf(query).write(`${JSON.stringify(kept)}\n`);
    },
    flush: (query) => fileOf(query).flush(),
  };
}
