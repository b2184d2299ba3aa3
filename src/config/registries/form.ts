/** What gateway.yaml says of one kind of registry: its settings, and what a `discover` may add to a service's name. */
import type { z } from 'zod';
import type { Refusal } from '../forms.ts';

export interface RegistryForm<
  O extends z.ZodRawShape = z.ZodRawShape,
  D extends z.ZodRawShape = z.ZodRawShape,
> {
  /** As `type` names it; also the type of a registry of that name. */
  readonly type: string;
  /** One sentence for the docs. */
  readonly summary: string;
  /**
   * The keys under `registries.NAME`, described, besides those that every kind has: `type`, `confirm` and, where it
   * `registers`, `register`. A key `tls`, made with `tls` of tls.ts, has its files checked and watched; the registry
   * gets what they hold.
   */
  readonly options: O;
  /** The keys of a long `discover`, described, besides `registry` and `service`. */
  readonly discover: D;
  /** True when the gateway can enter itself there. */
  readonly registers: boolean;
  /** Default of the key `confirm`: `0s` where every answer is somebody's will, `30s` where a registry may forget. */
  readonly confirm: string;
  /** What is wrong with the name of a service, as a predicate with its remedy; null when all is well. */
  readonly checkService?: (service: string) => Refusal | null;
}
