/** An upstream at work: its endpoints' connections, opened as the configuration says. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConfigPath, Upstream as UpstreamConfig } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { Wheel } from '../kernel/wheel.ts';
import { createCall } from '../proxy/call.ts';
import { createEndpointTransport } from '../transport/endpoint-transport.ts';
import { createUpstream, type Upstream } from '../upstream/upstream.ts';
import type { Transport } from '../wire/transport.ts';
import type { Tunnel } from '../wire/tunnel.ts';

/** Idle connections are kept a little less long than most servers and balancers do. */
const KEEP_ALIVE_MS = 55_000;
/** Of a response; more than any server sends on purpose. */
const MAX_HEADER_BYTES = 64 * 1024;

export interface Machinery {
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: Wheel;
}

export interface LiveUpstream {
  readonly upstream: Upstream;
  /** Sends one call through it, retries included. */
  readonly call: Transport & Tunnel;
}

/** A file that TLS needs and that cannot be read. */
export class UnreadableFile extends Error {
  readonly path: ConfigPath;

  constructor(path: ConfigPath, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.path = path;
  }
}

/** What connections are made with; two upstreams of one name that differ here share nothing. */
export interface ConnectOptions {
  readonly key: string;
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
    readonly serverName: string | null;
    readonly verify: boolean;
  } | null;
}

const readPem = (config: UpstreamConfig, which: 'ca' | 'cert' | 'key'): string | null => {
  const file = config.tls?.[which] ?? null;
  if (file === null) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UnreadableFile([...config.path, 'tls', which], error);
  }
};

/**
 * Reads what the connections of an upstream need.
 * @throws UnreadableFile
 */
export function readConnectOptions(config: UpstreamConfig): ConnectOptions {
  const tls = config.tls && {
    ca: readPem(config, 'ca'),
    cert: readPem(config, 'cert'),
    key: readPem(config, 'key'),
    serverName: config.tls.serverName,
    verify: config.tls.verify,
  };
  const text = JSON.stringify([config.protocol, config.concurrency, tls]);
  // A digest, since a private key has no place among keys that may be logged.
  return { key: `${config.name} ${hash('sha256', text)}`, tls };
}

/** Opens an upstream with the endpoints of its configuration; nothing connects before the first call. */
export function openUpstream(
  config: UpstreamConfig,
  options: ConnectOptions,
  machinery: Machinery,
): LiveUpstream {
  const { clock, random, wheel } = machinery;
  const upstream = createUpstream(config, {
    clock,
    random,
    open: (spec) =>
      createEndpointTransport({
        spec,
        clock,
        wheel,
        maxConnections: config.concurrency.endpoint,
        maxQueue: config.concurrency.queue,
        queueTimeoutMs: config.concurrency.queueTimeoutMs,
        keepAliveMs: KEEP_ALIVE_MS,
        maxHeaderBytes: MAX_HEADER_BYTES,
        tls: options.tls,
      }),
  });
  return { upstream, call: createCall(upstream, machinery) };
}
