/** The seam of registries: where the endpoints of a service are, told whenever that changes. */
import type { z } from 'zod';
import type { RegistryForm } from '../config/registries/form.ts';
import type { SelfRegistration } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { PluginLogger, RedisLink } from '../plugin.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';

/** One instance of a service; weight 0 means that it drains: it keeps its calls and gets no new ones. */
export interface RegisteredEndpoint extends EndpointSpec {
  /** As the registry names the instance; unique within the service. */
  readonly id: string;
  readonly zone: string | null;
  /** What else the registry says of it; bounded by the registry that gives it. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ServiceQuery<D = unknown> {
  readonly service: string;
  /** What the `discover` keys of the registry's form have read: tag, datacenter and the like. */
  readonly options: D;
}

/** Told from the event loop, never from within `watch`. */
export interface RegistryListener {
  /**
   * A whole good answer; may be empty (no such service, or no instance of it). Told for each answer, the same one
   * again too: that it is still true is news.
   */
  endpoints(list: readonly RegisteredEndpoint[]): void;
  /** The last try failed, or what came was rubbish; the watch goes on by itself. The message has no secrets. */
  failed(error: Error): void;
}

export interface RegistryWatch {
  /** Nothing is told any more from now on. Idempotent. */
  close(): void;
}

export interface Registered {
  /** Takes the entry away; resolves when that is done or has failed for good, and never rejects. */
  deregister(): Promise<void>;
}

export interface Registry<D = unknown> {
  /**
   * Follows one service until closed. Never throws and never gives up: what fails is told and tried again, with
   * back-off and jitter.
   */
  watch(query: ServiceQuery<D>, to: RegistryListener): RegistryWatch;
  /**
   * Enters the gateway itself and keeps the entry alive, through losses of the connection too. Present where the form
   * says `registers`. Never rejects: as long as the registry is down it is tried again in the background.
   */
  register?(self: SelfRegistration): Promise<Registered>;
  /** Ends all watches and connections. */
  close(): Promise<void>;
}

/** What the files of `tls` held when the registry was opened. */
export interface RegistryTls {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly serverName: string | null;
  readonly verify: boolean;
}

export interface RegistryParts {
  /** Its key under `registries`. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: PluginLogger;
  /** Null where the settings have no `tls`. */
  readonly tls: RegistryTls | null;
  /** A file name of the settings, from the folder of gateway.yaml, as an absolute one. */
  resolveFile(name: string): string;
  /** Absolute; may not exist, and may not be writable. */
  readonly stateDir: string;
  /** What gateways share; null where the configuration names none, and for kinds that don't use it. */
  readonly redis: RedisLink | null;
}

/** One kind of registry: how the configuration speaks of it, and how it is opened. */
export interface RegistryKind {
  readonly form: RegistryForm;
  /** True where it is another registry with another Redis. */
  readonly usesRedis: boolean;
  /**
   * Opens it; nothing needs to be reachable. `options` is what the form has read.
   * @throws Error only for what no waiting mends
   */
  open(options: unknown, parts: RegistryParts): Registry;
  /** What is wrong with the files that the settings name, one line each, as `file:line:column message`. */
  inspect(options: unknown, resolveFile: (name: string) => string): readonly string[];
}

/** What only some kinds have. */
export interface KindExtras<O> {
  readonly usesRedis?: boolean;
  readonly inspect?: (options: O, resolveFile: (name: string) => string) => readonly string[];
}

/** Joins a form and what opens it, whose types must fit each other; from here on they are one kind among others. */
export function registryKind<O extends z.ZodRawShape, D extends z.ZodRawShape>(
  form: RegistryForm<O, D>,
  open: (options: z.output<z.ZodObject<O>>, parts: RegistryParts) => Registry<z.output<z.ZodObject<D>>>,
  { usesRedis = false, inspect }: KindExtras<z.output<z.ZodObject<O>>> = {},
): RegistryKind {
  type Options = z.output<z.ZodObject<O>>;
  return {
    form,
    usesRedis,
    open: (options, parts) => open(options as Options, parts),
    inspect: (options, resolveFile) => inspect?.(options as Options, resolveFile) ?? [],
  };
}
