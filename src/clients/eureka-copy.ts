/** A copy of everything that a Eureka server knows, kept up by what has changed and checked by its hash. */
import { z } from 'zod';

/** The Java codec writes lists; older servers write a single element without one. */
const listOf = <T extends z.ZodType>(item: T) =>
  z.union([z.array(item), item.transform((one) => [one])]).nullish();

const port = z.object({
  $: z.coerce.number(),
  '@enabled': z.union([z.boolean(), z.stringbool()]).default(false),
});

const instance = z.object({
  instanceId: z.string().min(1).nullish(),
  hostName: z.string().min(1),
  ipAddr: z.string().nullish(),
  status: z.string().min(1),
  port: port.nullish(),
  securePort: port.nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  actionType: z.string().nullish(),
});

/** The answer to `/apps` and to `/apps/delta`. */
export const eurekaAnswer = z.object({
  applications: z.object({
    apps__hashcode: z.string(),
    application: listOf(z.object({ name: z.string().min(1), instance: listOf(instance) })),
  }),
});

export type EurekaAnswer = z.output<typeof eurekaAnswer>;
export type EurekaInstance = z.output<typeof instance>;

export class EurekaCopy {
  /** By the name of the application in capitals, as Eureka writes it, then by the instance's. */
  #apps = new Map<string, Map<string, EurekaInstance>>();

  /** The instances of an application, whatever their status; names differ by more than their case. */
  instances(app: string): readonly EurekaInstance[] {
    return [...(this.#apps.get(app.toUpperCase())?.values() ?? [])];
  }

  /** Takes an answer to `/apps` for the whole truth. */
  replace(answer: EurekaAnswer): void {
    this.#apps = new Map();
    this.#apply(answer);
  }

  /**
   * Takes an answer to `/apps/delta` in; one that has been taken in before changes nothing.
   * @returns false when the copy is not what the server has: it has to be fetched anew
   */
  update(delta: EurekaAnswer): boolean {
    this.#apply(delta);
    return this.#hash() === delta.applications.apps__hashcode;
  }

  #apply({ applications }: EurekaAnswer): void {
    for (const { name, instance: list } of applications.application ?? [])
      for (const one of list ?? []) this.#put(name.toUpperCase(), one.instanceId ?? one.hostName, one);
  }

  #put(app: string, id: string, one: EurekaInstance): void {
    let known = this.#apps.get(app);
    if (one.actionType === 'DELETED') {
      known?.delete(id);
      return;
    }
    if (known === undefined) {
      known = new Map();
      this.#apps.set(app, known);
    }
    known.set(id, one);
  }

  /** How many there are of each status, sorted: `DOWN_1_UP_2_`. */
  #hash(): string {
    const counts = new Map<string, number>();
    for (const known of this.#apps.values())
      for (const { status } of known.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    return [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([status, count]) => `${status}_${count}_`)
      .join('');
  }
}
