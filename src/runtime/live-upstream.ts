/** An upstream at work: its endpoints' connections, opened as the configuration says. */
import { hash } from 'node:crypto';
import type { Upstream as UpstreamConfig, UpstreamTls } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { Lease } from '../kernel/table.ts';
import type { Wheel } from '../kernel/wheel.ts';
import type { PluginLogger } from '../plugin.ts';
import { createCall, type UpstreamTransport } from '../proxy/call.ts';
import { createEndpointTransport } from '../transport/endpoint-transport.ts';
import { createProbe } from '../transport/probes.ts';
import { createUpstream, type Upstream } from '../upstream/upstream.ts';
import { type Followed, whyEmpty } from './registries.ts';
import { readTlsFiles } from './tls-files.ts';

/** Idle connections are kept a little less long than most servers and balancers do. */
const KEEP_ALIVE_MS = 55_000;
/** Of a response; more than any server sends on purpose. */
const MAX_HEADER_BYTES = 64 * 1024;

export interface Machinery {
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: Wheel;
  readonly log: PluginLogger;
}

export interface LiveUpstream {
  readonly upstream: Upstream;
  /** Sends one call through it, retries included. */
  readonly call: UpstreamTransport;
  /** The service whose endpoints it has; null where the file names them. */
  readonly followed: Followed | null;
  /**
   * Puts a configuration in force, and from now on what the registry says.
   * @param followed taken over; given back when another one comes, or at the end
   */
  apply(config: UpstreamConfig, followed: Lease<Followed> | null): void;
  close(graceMs: number): Promise<void>;
}

/** What connections are made with; two upstreams of one name that differ here share nothing. */
export interface ConnectOptions {
  readonly key: string;
  readonly tls: UpstreamTls | null;
}

/**
 * Reads what the connections of an upstream need.
 * @throws UnreadableFile
 */
export function readConnectOptions(config: UpstreamConfig): ConnectOptions {
  const tls = readTlsFiles(config.tls, [...config.path, 'tls']);
  const text = JSON.stringify([config.protocol, tls]);
  // A digest, since a private key has no place among keys that may be logged.
  return { key: `${config.name} ${hash('sha256', text)}`, tls };
}

class OpenUpstream implements LiveUpstream {
  readonly upstream: Upstream;
  readonly call: UpstreamTransport;
  readonly #log: PluginLogger;
  #followed: Lease<Followed> | null = null;
  #unfollow: (() => void) | null = null;

  constructor(upstream: Upstream, machinery: Machinery) {
    this.upstream = upstream;
    this.call = createCall(upstream, machinery);
    this.#log = machinery.log;
  }

  get followed(): Followed | null {
    return this.#followed?.value ?? null;
  }

  apply(config: UpstreamConfig, followed: Lease<Followed> | null): void {
    const before = this.#followed;
    this.#unfollow?.();
    this.#followed = followed;
    this.#unfollow = followed?.value.membership.follow(() => this.#changed()) ?? null;
    this.upstream.update(followed?.value.membership.endpoints ?? config.targets, config);
    before?.release();
  }

  async close(graceMs: number): Promise<void> {
    this.#unfollow?.();
    this.#followed?.release();
    await this.upstream.close(graceMs);
  }

  #changed(): void {
    try {
      this.upstream.update(this.#followed!.value.membership.endpoints);
    } catch (error) {
      this.#log.error('the endpoints of an upstream could not be changed; the old ones stay', {
        upstream: this.upstream.name,
        error,
      });
    }
  }
}

/** Opens an upstream with the endpoints of its configuration; nothing connects before the first call. */
export function openUpstream(
  config: UpstreamConfig,
  options: ConnectOptions,
  machinery: Machinery,
): LiveUpstream {
  const { clock, random, wheel, log } = machinery;
  let live: OpenUpstream | null = null;
  const upstream = createUpstream(config, {
    clock,
    random,
    whyEmpty: () => whyEmpty(live?.followed ?? null),
    log,
    probe: (spec, health) => createProbe({ spec, options: health, tls: options.tls, clock, wheel }),
    open: (spec) =>
      createEndpointTransport({
        spec,
        clock,
        wheel,
        keepAliveMs: KEEP_ALIVE_MS,
        maxHeaderBytes: MAX_HEADER_BYTES,
        tls: options.tls,
      }),
  });
  live = new OpenUpstream(upstream, machinery);
  return live;
}
