/** What forwarding needs to know, put together from the plan of a route and what was opened for it. */
import type { Upstream } from '../config/types.ts';
import type { Random } from '../kernel/random.ts';
import type { Chain } from '../pipeline/chain.ts';
import { runAttempt, runResponse } from '../pipeline/run.ts';
import type { UpstreamTransport } from '../proxy/call.ts';
import type { ForwardOptions } from '../proxy/forward.ts';
import type { Mirror } from '../proxy/mirror.ts';
import { StickyCookie } from '../proxy/sticky-cookie.ts';
import type { Estate } from './estate.ts';
import type { PlannedRoute, PlannedTarget } from './plan.ts';
import { createRequestHash } from './request-hash.ts';

/** What was opened for a target. */
export interface Opened {
  readonly chain: Chain;
  readonly call: UpstreamTransport;
  readonly mirror: Mirror | null;
  /** By name. */
  readonly upstreams: Readonly<Record<string, Upstream>>;
  readonly estate: Pick<Estate, 'random' | 'viaName' | 'wheel' | 'metrics'>;
}

/** Gives balancers that hash their number of a request; null where none of these upstreams hashes. */
export function hashFor(
  { upstream, failover }: Pick<PlannedTarget, 'upstream' | 'failover'>,
  upstreams: Opened['upstreams'],
  random: Random,
): ForwardOptions['hash'] {
  const balances = [upstream, ...failover].map((name) => upstreams[name]!.balance);
  // Whoever takes over may hash though the first does not.
  const balance = balances.find(({ method }) => method === 'hash') ?? balances[0]!;
  return createRequestHash(balance, random);
}

/** Compiles the options of one target of a route; nothing in them belongs to one request. */
export function forwardOptions(
  planned: PlannedRoute,
  target: PlannedTarget,
  { chain, call, mirror, upstreams, estate }: Opened,
): ForwardOptions {
  const route = planned.config!;
  const { websocket } = route;
  const { sticky } = upstreams[target.upstream]!;
  return {
    call,
    upstreamName: target.upstream,
    timeouts: target.timeouts,
    tunnelTimeouts: { ...target.timeouts, idleMs: websocket.idleMs ?? target.timeouts.idleMs },
    endWithToken: websocket.endWithToken,
    timeoutMs: route.timeoutMs,
    maxDurationMs: route.maxDurationMs,
    hash: hashFor(target, upstreams, estate.random),
    sticky: sticky === null ? null : new StickyCookie(sticky, call.upstream),
    hostHeader: target.hostHeader,
    viaName: estate.viaName,
    wheel: estate.wheel,
    bodyLimitBytes: route.bodyBytes,
    mirror,
    respond: chain.response === null ? null : (x, reply) => runResponse(chain, x, reply),
    attempt: chain.attempt === null ? null : (x, head, to) => runAttempt(chain, x, { head, to }),
    done: null,
    tunnels: estate.metrics.route(planned.info.name),
  };
}
