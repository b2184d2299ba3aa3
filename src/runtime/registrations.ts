/** The gateway's own entries in registries: made once it serves, kept through reloads, taken away before it stops. */
import type { Config, Register, RegistryConfig } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Lease } from '../kernel/table.ts';
import type { Registered } from '../registry/registry.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { LiveRegistry, Registries } from './registries.ts';

/** How long a stop waits for registries to take the entries away. */
const LEAVE_MS = 3000;

interface Entry {
  readonly registry: Lease<LiveRegistry>;
  readonly registered: Registered;
}

export interface RegistrationsParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly registries: Registries;
}

export class Registrations {
  readonly #parts: RegistrationsParts;
  /** By what was entered, and where. */
  #entries = new Map<string, Entry>();
  #work: Promise<void> = Promise.resolve();

  constructor(parts: RegistrationsParts) {
    this.#parts = parts;
  }

  /** Makes the entries those of a configuration, in the background; what stays is not touched. */
  follow(config: Config): void {
    this.#next(() => this.#change(config));
  }

  /** Takes all entries away, waiting a short time for that. */
  async close(): Promise<void> {
    this.#next(async () => {
      const entries = [...this.#entries.values()];
      this.#entries.clear();
      await Promise.all(entries.map((entry) => this.#leave(entry)));
    });
    const over = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(LEAVE_MS, over.resolve);
    await Promise.race([this.#work, over.promise]);
    timer.cancel();
  }

  #next(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.#parts.log.error('an entry of the gateway could not be taken out of its registry', { error });
    });
  }

  async #change({ registries, stateDir }: Config): Promise<void> {
    const before = this.#entries;
    this.#entries = new Map();
    for (const config of Object.values(registries)) {
      if (config.register === null) continue;
      try {
        await this.#keep(config, config.register, { stateDir, before });
      } catch (error) {
        this.#parts.log.error('the gateway could not be entered in a registry', {
          registry: config.name,
          error,
        });
      }
    }
    for (const entry of before.values()) await this.#leave(entry);
  }

  /** Takes over the entry of before, or makes one. */
  async #keep(
    config: RegistryConfig,
    register: Register,
    { stateDir, before }: { readonly stateDir: string; readonly before: Map<string, Entry> },
  ): Promise<void> {
    const registry = await this.#parts.registries.open(config, stateDir);
    const key = `${registry.value.key} ${JSON.stringify(register)}`;
    const present = before.get(key);
    if (present === undefined) {
      const registered = await registry.value.registry.register!(register);
      this.#entries.set(key, { registry, registered });
      return;
    }
    before.delete(key);
    this.#entries.set(key, present);
    registry.release();
  }

  async #leave({ registry, registered }: Entry): Promise<void> {
    await registered.deregister();
    registry.release();
  }
}
