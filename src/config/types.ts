/** What the rest of the gateway reads: the configuration after parsing, with every default filled in. */
import type { EndpointSpec } from '../wire/endpoint.ts';
import type { Aggregate } from './aggregate-types.ts';
import type { RedisConfig } from './redis-place.ts';
import type { Resilience } from './resilience-options.ts';
import type { Retry } from './retry.ts';
import type { Priority, ShedOptions } from './shed.ts';
import type { Traffic } from './traffic-options.ts';
import type { WebSocketOptions } from './websocket-options.ts';

/** Where something stands in the file: keys and indexes from its root. */
export type ConfigPath = readonly (string | number)[];

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface AdminAddress extends Address {
  /** Null: none, so that only probes and metrics are served to other machines. */
  readonly token: string | null;
}

/** One plugin instance, or `false` where a wider one is taken away. */
export type PluginUse = false | PluginInstance;

export interface PluginInstance {
  /** Name of the plugin. */
  readonly type: string;
  /** As the file has it after interpolation; the plugin's own schema reads it. */
  readonly config: unknown;
  readonly path: ConfigPath;
}

/** By instance name, in the file's order; null prototype. */
export type PluginUses = Readonly<Record<string, PluginUse>>;

export interface Timeouts {
  /** Until the connection stands, TLS included. */
  readonly connectMs: number;
  /** From the end of the request body to the response head. */
  readonly firstByteMs: number;
  /** Between two pieces of a body. */
  readonly idleMs: number;
}

export interface UpstreamTls {
  /** Absolute file names. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly serverName: string | null;
  readonly verify: boolean;
}

/** What the gateway says of itself in a registry. */
export interface SelfRegistration {
  readonly service: string;
  readonly id: string;
  /** Weight and zone included. */
  readonly endpoint: EndpointSpec;
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the registry may ask whether the gateway is well, as a URL; null: it only hears heartbeats. */
  readonly healthUrl: string | null;
  /** Without a sign of life for that long, the registry may forget it. */
  readonly ttlMs: number;
}

export interface RegistryConfig {
  readonly name: string;
  readonly type: string;
  /** What the kind's form has read. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly tls: UpstreamTls | null;
  /** How long an answer that takes away much must stay the same before it is believed; 0: not at all. */
  readonly confirmMs: number;
  readonly register: SelfRegistration | null;
  /** Where it stands, for messages. */
  readonly path: ConfigPath;
}

/** The service of a registry whose endpoints an upstream has. */
export interface Discover {
  readonly registry: string;
  readonly service: string;
  /** What the kind's form has read besides. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** How an endpoint is chosen, with the settings of the method. */
export type Balance =
  | { readonly method: 'round-robin' | 'random' | 'least-request' }
  | { readonly method: 'ewma'; readonly decayMs: number }
  | {
      readonly method: 'hash';
      /** A dotted word. */
      readonly by: string;
      /** Most calls in flight at one endpoint, as a multiple of the mean; null: no bound. */
      readonly maxLoad: number | null;
    }
  | {
      readonly method: 'weighted';
      /** Name of the response field that tells the load; lower case. */
      readonly header: string;
    };

/** How clients stay with the endpoint that served them. */
export interface StickyConfig {
  /** Name of the cookie. */
  readonly cookie: string;
  /** How long the cookie lasts; null: until the browser is closed. */
  readonly ttlMs: number | null;
  /** What tags are made with; null: something of this process alone. */
  readonly secret: string | null;
}

export interface Upstream extends Resilience {
  readonly name: string;
  /** Empty where a registry tells. */
  readonly targets: readonly EndpointSpec[];
  /** Null where the file names the targets. */
  readonly discover: Discover | null;
  readonly balance: Balance;
  /** Endpoints of this zone are preferred; null: all are as near as each other. */
  readonly zone: string | null;
  /** How long a new endpoint takes to its whole share; 0: it has it at once. */
  readonly slowStartMs: number;
  /** Below this part of available endpoints checks and ejections are not believed, 0 to 1. */
  readonly panicBelow: number;
  readonly sticky: StickyConfig | null;
  readonly protocol: 'http1';
  /** A Host to send instead of the client's, or null. */
  readonly hostHeader: string | null;
  readonly retry: Retry;
  /** Name of the upstream that takes over; null: none. */
  readonly failover: string | null;
  readonly timeouts: Timeouts;
  readonly tls: UpstreamTls | null;
  readonly plugins: PluginUses;
  /** Where it stands, for messages. */
  readonly path: ConfigPath;
}

export type RouteAllowance = 'encoded-slash' | 'double-slash';

export interface Route extends Traffic {
  readonly name: string;
  /** '' matches any host. Lower case. */
  readonly host: string;
  readonly path: string;
  /** Empty: all methods. */
  readonly methods: readonly string[];
  /** Names in lower case; null prototype. */
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Empty where an aggregate or a plugin answers all. */
  readonly upstream: readonly { readonly name: string; readonly weight: number }[];
  readonly aggregate: Aggregate | null;
  readonly stripPrefix: string | null;
  readonly rewrite: string | null;
  /** 'keep', 'upstream', or the name to send. */
  readonly hostHeader: string;
  /** Until the response head, retries included. */
  readonly timeoutMs: number;
  /** Until the last byte; null: no limit. */
  readonly maxDurationMs: number | null;
  /** What the route sets over its upstream's. */
  readonly timeouts: Partial<Timeouts>;
  readonly websocket: WebSocketOptions;
  readonly bodyBytes: number;
  readonly allow: readonly RouteAllowance[];
  readonly priority: Priority;
  readonly plugins: PluginUses;
  /** Line in the file, from 1; 0 when unknown. */
  readonly line: number;
  /** Where it stands, for messages. */
  readonly configPath: ConfigPath;
}

export interface Config {
  readonly version: 1;
  readonly listen: readonly Address[];
  readonly admin: AdminAddress | null;
  /** Absolute. */
  readonly stateDir: string;
  /** Null: limits, locks and leases live in this process. */
  readonly redis: RedisConfig | null;
  readonly trace: {
    readonly id: 'snowflake' | 'uuid';
    readonly datacenter: number;
    readonly worker: 'auto' | number;
    readonly epochMs: number;
    readonly bits: { readonly datacenter: number; readonly worker: number; readonly sequence: number };
    /** Part of the traces that the gateway starts and marks as sampled, 0 to 1; null: it starts none. */
    readonly sample: number | null;
  };
  /** CIDRs; a single address is a CIDR of its full length. */
  readonly trustedProxies: readonly string[];
  readonly limits: {
    readonly headerBytes: number;
    readonly headerCount: number;
    readonly urlBytes: number;
    readonly bodyBytes: number;
    readonly connections: number;
  };
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly access: boolean };
  readonly shed: ShedOptions;
  readonly shutdown: { readonly graceMs: number; readonly delayMs: number };
  /** By name; null prototype. */
  readonly registries: Readonly<Record<string, RegistryConfig>>;
  /** By name; null prototype. Upstreams given in place are here under their URL or registry/service. */
  readonly upstreams: Readonly<Record<string, Upstream>>;
  readonly plugins: PluginUses;
  readonly routes: readonly Route[];
}
