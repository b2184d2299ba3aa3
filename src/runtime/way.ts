/** The way of a route into an upstream, and behind it into those that take over. */
import type { Upstream } from '../config/types.ts';
import type { Clock } from '../kernel/clock.ts';
import type { UpstreamTransport } from '../proxy/call.ts';
import { createFailover } from '../proxy/failover.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { LiveUpstream } from './live-upstream.ts';

export interface WayParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** By name. */
  readonly upstreams: Readonly<Record<string, Upstream>>;
  /** Opens or shares an upstream for as long as the route lives; null when it cannot be opened. */
  acquire(config: Upstream): Promise<LiveUpstream | null>;
}

/** Opens the way; null when one of the upstreams on it cannot be opened. */
export async function openWay(name: string, parts: WayParts): Promise<UpstreamTransport | null> {
  const config = parts.upstreams[name]!;
  const first = (await parts.acquire(config))?.call ?? null;
  if (first === null || config.failover === null) return first;
  const next = await openWay(config.failover, parts);
  if (next === null) return null;
  const meter = parts.metrics.upstream(name);
  const moved = () => {
    meter.failovers++;
  };
  return createFailover({ clock: parts.clock, first, next, moved });
}
