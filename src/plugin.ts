/** The public plugin API, imported as "snowgate/plugin". */
import type { Cluster, Redis } from 'ioredis';
import { z } from 'zod';
import type { Clock } from './kernel/clock.ts';
import type { GatewayCode, GatewayError } from './kernel/errors.ts';
import { gatewayError } from './kernel/errors.ts';
import type { Random } from './kernel/random.ts';
import type { Lease } from './kernel/table.ts';
import { parseDuration, parsePercent, parseRate, parseSize } from './kernel/units.ts';
import type { Body, Sink, Stage } from './wire/body.ts';
import type { Degraded } from './wire/degraded.ts';
import { createFields, type Fields, fieldText } from './wire/fields.ts';
import type { RequestHead, ResponseHead } from './wire/heads.ts';
import { compileOrigins, isOrigin, isOwnOrigin } from './wire/origins.ts';
import {
  compileValue,
  compileWord,
  cookieText,
  queryText,
  type ValueReader,
  valueText,
  WordError,
  type WordReader,
} from './wire/words.ts';

export type {
  Body,
  Clock,
  Degraded,
  Fields,
  GatewayCode,
  GatewayError,
  Lease,
  Random,
  RequestHead,
  ResponseHead,
  Sink,
  Stage,
  ValueReader,
  WordReader,
};
export {
  compileOrigins,
  compileValue,
  compileWord,
  cookieText,
  createFields,
  fieldText,
  gatewayError,
  isOrigin,
  isOwnOrigin,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
  queryText,
  valueText,
  z,
};

/** A setting that is a dotted word such as `claims.sub`; a wrong one is told when the file is read. */
export const word = (): z.ZodType<string> =>
  z.string().superRefine((text, context) => {
    try {
      compileValue(text);
    } catch (error) {
      if (!(error instanceof WordError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });

/** The route that an exchange runs on. */
export interface RouteInfo {
  readonly name: string;
  /** The host and path patterns as the file has them; host is '' when any matches. */
  readonly host: string;
  readonly path: string;
}

/** Who sent the request, after `trustedProxies` were taken into account. */
export interface ClientInfo {
  /** The client's address as text, IPv4-mapped IPv6 written as IPv4. */
  readonly address: string;
  /** True when the direct peer is in `trustedProxies`. */
  readonly trusted: boolean;
  /** As the client saw it. */
  readonly scheme: 'http' | 'https';
}

/** Set by an authenticator. */
export interface Principal {
  readonly id: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly scopes: readonly string[];
  /** Name of the plugin instance that vouches for it. */
  readonly by: string;
}

export interface EndpointInfo {
  readonly upstream: string;
  /** `host:port` of the endpoint. */
  readonly endpoint: string;
}

/** One try at an endpoint. */
export interface AttemptInfo extends EndpointInfo {
  /** Milliseconds from the start of the exchange. */
  readonly startMs: number;
  /** Milliseconds from the attempt's start to the head or the failure; -1 while open. */
  readonly tookMs: number;
  /** 0 when no head came. */
  readonly status: number;
  readonly code: GatewayCode | '-';
}

/** An answer, whoever made it. */
export interface Reply extends ResponseHead {
  body: Uint8Array | Body | null;
  by: 'upstream' | 'gateway' | 'plugin';
  /** Why, when the gateway or a plugin refused. */
  error: GatewayError | null;
}

/** One request and all that is known of it. */
export interface Exchange {
  /** The trace ID, decimal. */
  readonly id: string;
  readonly route: RouteInfo;
  readonly client: ClientInfo;
  readonly params: Readonly<Record<string, string>>;
  /** As it came, with its canonical path and without reserved headers; policies read this. */
  readonly received: Readonly<RequestHead>;
  /** What will be sent; `request` hooks change this. */
  readonly request: RequestHead;
  principal: Principal | null;
  /** The upstream that was chosen, or '' before that and where there is none. */
  readonly upstream: string;
  readonly attempts: readonly AttemptInfo[];
  /** Aborted when the client leaves, or the time is over before anything was sent; made when first asked for. */
  readonly signal: AbortSignal;
  /** One place per plugin instance; yours is at `host.slot`. */
  readonly slots: unknown[];
  /**
   * Ends the exchange with 504 when no response head has come so many milliseconds after its start. It shortens the
   * route's `timeout`, never lengthens it, and the shortest counts; for hooks before the upstream, up to `request`.
   */
  limitTime(limitMs: number): void;
  /** Tells the access log, in its field `degraded`, what this request has to do without. */
  degrade(how: Degraded): void;
  /** Reads the whole request body, 413 past the limit; the body can still be forwarded afterwards. */
  readRequest(limitBytes: number): Promise<Uint8Array>;
  /** Changes the request body on its way; before the head leaves. Content-Length is dropped. */
  mapRequest(stage: Stage): void;
  /** Changes the response body on its way; in a `response` hook. Content-Length is dropped. */
  mapResponse(stage: Stage): void;
}

/** Nothing to go on, a Reply to answer now, or a promise of either. */
export type Answer = undefined | Reply | Promise<undefined | Reply | void> | void;

/** The phases before the upstream, in their order. */
export const PHASES = ['accept', 'authenticate', 'authorize', 'admit', 'request'] as const;
export type Phase = (typeof PHASES)[number];

export type Hooks = { readonly [P in Phase]?: (x: Exchange) => Answer } & {
  /** Before each try; may change the head of this try only. Synchronous. */
  readonly attempt?: (x: Exchange, head: RequestHead, to: EndpointInfo) => void;
  /** On every final answer of a routed request, in reverse order; may change the reply or give another. */
  readonly response?: (x: Exchange, reply: Reply) => Answer;
  /** Once, after the last byte. */
  readonly log?: (x: Exchange) => void;
  /** Beside `authenticate`: a request without any credential may pass, if every authenticator of the route says so. */
  readonly optional?: boolean;
  /** Beside `authenticate`: the WWW-Authenticate challenge of the 401 when no authenticator vouched. */
  readonly challenge?: string;
  /**
   * Names of headers, in small letters, by which the plugin tells upstreams something: they are taken out of every
   * request on every route before anything runs, so that no client can say it instead.
   */
  readonly reserves?: readonly string[];
  /**
   * For `snowgate explain`, after the hooks up to `authorize` ran on an exchange that nobody sent: what this instance
   * made of it, or with an `admit` hook would make of it, in a few words; '' for nothing to tell.
   */
  readonly explain?: (x: Exchange) => string;
  readonly dispose?: () => void | Promise<void>;
};

export interface PluginLogger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** A counter whose label values the plugin keeps few. */
export interface PluginCounter {
  add(count?: number, labels?: Readonly<Record<string, string>>): void;
}

/** A connection to Redis that nobody has to wait for: while Redis is gone or slow, `up` says so. */
export interface RedisLink {
  /** For packages that take a client of ioredis; its commands fail at once while there is no connection. */
  readonly client: Redis | Cluster;
  /** What every key begins with, without a colon at its end. */
  readonly prefix: string;
  /** How many processes use this Redis with this prefix, as last counted; at least 1. */
  readonly nodes: number;
  /** False while the server that holds the key cannot be relied on: don't ask it. Turns true by itself. */
  up(key: string): boolean;
  /** Gives what a command on the key gives, or rejects after `redis.timeout`; three failures in a row make `up` false. */
  within<T>(key: string, work: Promise<T>): Promise<T>;
}

/** What the gateway lends to a plugin instance. */
export interface Host {
  /** The instance's name: its key under `plugins`. */
  readonly instance: string;
  readonly scope: 'global' | 'upstream' | 'route';
  /** Name of the upstream or route it belongs to; '' in global scope. */
  readonly owner: string;
  /** Where `x.slots` holds this instance's own value. */
  readonly slot: number;
  readonly log: PluginLogger;
  readonly clock: Clock;
  readonly random: Random;
  /** `snowgate_plugin_<name>_total`, counted per instance. */
  counter(name: string, help: string, labels?: readonly string[]): PluginCounter;
  /** What `redis` in gateway.yaml names, or null. */
  readonly redis: RedisLink | null;
  /** State shared by name among instances of this plugin; outlives edits of the configuration. */
  shared<T>(name: string, open: () => Promise<T> | T): Promise<Lease<T>>;
  /** Something that works and may still surprise: `snowgate check` tells it, with the place of the settings. */
  note(message: string, remedy?: string): void;
  /** The absolute path of a file named in the configuration, relative to gateway.yaml; a change of it reloads. */
  file(path: string): string;
}

export interface Plugin<C = unknown> {
  readonly name: string;
  /** One sentence for `snowgate check` and the docs. */
  readonly summary: string;
  readonly config: z.ZodType<C>;
  /** Makes one instance. A throw here refuses the configuration and names the place in the file. */
  setup(config: C, host: Host): Hooks | Promise<Hooks>;
}

/** Declares a plugin; the default export of a file in `plugins/`. */
export function definePlugin<C>(plugin: Plugin<C>): Plugin<C> {
  return plugin;
}

const encoder = new TextEncoder();

/**
 * An answer made by a plugin.
 * @param status 200 to 599
 * @param body text, bytes, or nothing
 */
export function reply(
  status: number,
  fields: Readonly<Record<string, string | string[]>> = {},
  body: string | Uint8Array | null = null,
): Reply {
  const own = Object.assign(createFields(), fields);
  const bytes = typeof body === 'string' ? encoder.encode(body) : body;
  return { status, fields: own, body: bytes, by: 'plugin', error: null };
}

/** An answer that refuses: the gateway writes its problem document and code. */
export function refuse(
  code: GatewayCode,
  detail = '',
  fields: Readonly<Record<string, string | string[]>> = {},
): Reply {
  const error = gatewayError(code, detail);
  return {
    status: error.status,
    fields: Object.assign(createFields(), fields),
    body: null,
    by: 'plugin',
    error,
  };
}
