/** A registry at work in a test: opened by its settings, and what a watch of it has told. */
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { REGISTRY_KINDS } from '../../src/registry/catalog.ts';
import type { RegisteredEndpoint, Registry, RegistryParts } from '../../src/registry/registry.ts';
import { endpointName } from '../../src/wire/endpoint.ts';

export interface OpenRegistry {
  readonly registry: Registry;
  readonly log: readonly { readonly level: string; readonly message: string; readonly fields: unknown }[];
  follow(service: string, options?: Readonly<Record<string, unknown>>): Follow;
}

export interface Follow {
  /** The last good answer; null before there is one. */
  readonly last: readonly RegisteredEndpoint[] | null;
  readonly answers: number;
  readonly failures: readonly Error[];
  /** The last answer as `address weight`, sorted. */
  readonly shown: readonly string[];
  close(): void;
}

/** Opens a registry of this type, which is closed when the test is over. */
export function openRegistry(
  type: string,
  settings: Readonly<Record<string, unknown>>,
  parts: Partial<RegistryParts> = {},
): OpenRegistry {
  const kind = REGISTRY_KINDS.get(type);
  if (kind === undefined) throw new Error(`there is no kind ${type}`);
  const log: { level: string; message: string; fields: unknown }[] = [];
  const line = (level: string) => (message: string, fields?: unknown) =>
    void log.push({ level, message, fields });
  const registry = kind.open(z.strictObject(kind.form.options).parse(settings), {
    redis: null,
    name: type,
    clock: systemClock,
    random: systemRandom,
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    tls: null,
    resolveFile: (name) => name,
    stateDir: '/nonexistent',
    ...parts,
  });
  onTestFinished(() => registry.close());
  const discover = z.strictObject(kind.form.discover);
  return {
    registry,
    log,
    follow: (service, options = {}) => follow(registry, service, discover.parse(options)),
  };
}

const follow = (registry: Registry, service: string, options: unknown): Follow => {
  let last: readonly RegisteredEndpoint[] | null = null;
  let answers = 0;
  const failures: Error[] = [];
  const watch = registry.watch(
    { service, options },
    {
      endpoints(list) {
        answers++;
        last = list;
      },
      failed: (error) => void failures.push(error),
    },
  );
  return {
    get last() {
      return last;
    },
    get answers() {
      return answers;
    },
    failures,
    get shown() {
      return (last ?? []).map((each) => `${endpointName(each)} ${each.weight}`).sort();
    },
    close: () => watch.close(),
  };
};
