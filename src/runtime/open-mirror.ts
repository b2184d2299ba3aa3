/** The mirror of a route, over an upstream that was opened for it. */
import type { Upstream } from '../config/types.ts';
import { createSingleTry } from '../proxy/call.ts';
import { Mirror } from '../proxy/mirror.ts';
import type { Estate } from './estate.ts';
import type { LiveUpstream } from './live-upstream.ts';
import type { PlannedMirror, PlannedRoute } from './plan.ts';
import { createRequestHash } from './request-hash.ts';

export interface MirrorTo {
  readonly config: Upstream;
  readonly live: LiveUpstream;
  readonly estate: Pick<Estate, 'clock' | 'random' | 'wheel' | 'metrics' | 'log'>;
}

/** Makes the mirror; it uses the connections, checks and breaker of its own upstream. */
export function createMirror(
  { info, config: route }: PlannedRoute,
  planned: PlannedMirror,
  { config, live, estate }: MirrorTo,
): Mirror {
  const { clock, random, wheel, metrics } = estate;
  const meter = metrics.route(info.name);
  const upstream = metrics.upstream(planned.upstream);
  return new Mirror({
    call: createSingleTry(live.upstream, estate),
    percent: planned.percent,
    timeouts: planned.timeouts,
    timeoutMs: route!.timeoutMs,
    hostHeader: planned.hostHeader,
    hash: createRequestHash(config.balance, random),
    clock,
    random,
    wheel,
    ended: (result) => meter.mirrorEnded(result),
    attempted: (endpoint, status, code) => upstream.endpoint(endpoint).count(status, code),
  });
}
