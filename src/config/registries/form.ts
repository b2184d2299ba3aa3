/** What gateway.yaml says of one kind of registry: its settings, and what a `discover` may add to a service's name. */
import type { z } from 'zod';

export interface RegistryForm<O extends z.ZodType = z.ZodType, D extends z.ZodType = z.ZodType> {
  /** As `type` names it; also the type of a registry of that name. */
  readonly type: string;
  /** One sentence for the docs. */
  readonly summary: string;
  /**
   * The keys under `registries.NAME`, made with `section`, but for `type` and `register`, which every kind has from
   * elsewhere. A key `tls`, made with `tls`, has its files checked and watched; the registry gets what they hold.
   */
  readonly options: O;
  /** The keys of a long `discover` besides `registry` and `service`, made with `section`. */
  readonly discover: D;
  /** True when the gateway can enter itself there: the kind then takes `register`. */
  readonly registers: boolean;
}
