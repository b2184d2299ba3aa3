/** The gateway's own entries in registries: made once it serves, kept through reloads, taken away before it stops. */
import type { Config, RegistryConfig, SelfRegistration } from '../config/types.ts';
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

interface Wanted {
  readonly registry: Lease<LiveRegistry>;
  readonly register: SelfRegistration;
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
    const wanted = await this.#wanted(Object.values(registries), stateDir);
    // Before the new ones are made: a change of weight is an entry of the same name.
    for (const [key, entry] of this.#entries) {
      if (wanted.has(key)) continue;
      this.#entries.delete(key);
      await this.#leave(entry);
    }
    for (const [key, { registry, register }] of wanted) {
      if (this.#entries.has(key)) registry.release();
      else
        this.#entries.set(key, { registry, registered: await registry.value.registry.register!(register) });
    }
  }

  /** What a configuration wants to enter, and where, each held open. */
  async #wanted(registries: readonly RegistryConfig[], stateDir: string): Promise<Map<string, Wanted>> {
    const wanted = new Map<string, Wanted>();
    for (const config of registries) {
      const { register } = config;
      if (register === null) continue;
      try {
        // No kind that takes entries of its own shares anything through Redis.
        const registry = await this.#parts.registries.open(config, { stateDir, redis: null });
        wanted.set(`${registry.value.key} ${JSON.stringify(register)}`, { registry, register });
      } catch (error) {
        this.#parts.log.error('the gateway could not be entered in a registry', {
          registry: config.name,
          error,
        });
      }
    }
    return wanted;
  }

  async #leave({ registry, registered }: Entry): Promise<void> {
    await registered.deregister();
    registry.release();
  }
}
