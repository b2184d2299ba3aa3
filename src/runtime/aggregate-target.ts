/** The one way that a route with an aggregate goes: to all its parts. */

import { aggregate } from '../aggregate/aggregate.ts';
import {
  type AggregateOptions,
  createPartOptions,
  type PartUpstream,
  type UpstreamHooks,
  variesBy,
} from '../aggregate/options.ts';
import { type Chain, compileChain } from '../pipeline/chain.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import { runAttempt, runResponse } from '../pipeline/run.ts';
import type { RequestHeadOptions } from '../proxy/request-head.ts';
import { hashFor, type Opened } from './forward-plan.ts';
import type { LiveTarget } from './live-target.ts';
import type { PlannedPart, PlannedRoute } from './plan.ts';

class AggregateTarget implements LiveTarget {
  readonly chain: Chain;
  readonly head: RequestHeadOptions;
  /** There are several; each part knows its own. */
  readonly upstreamName = '';
  readonly #options: AggregateOptions;

  constructor(chain: Chain, options: AggregateOptions) {
    this.chain = chain;
    // The Host is chosen by each part.
    this.head = { hostHeader: 'keep', viaName: options.viaName };
    this.#options = options;
  }

  /** Hooks of upstreams have places of their own for each call. */
  get slotCount(): number {
    return this.chain.slotCount;
  }

  send(x: LiveExchange): void {
    aggregate(x, this.#options);
  }
}

/** A part with what was opened for it. */
export interface OpenedPart extends Pick<Opened, 'call' | 'chain'> {
  readonly planned: PlannedPart;
}

export interface AggregateParts extends Pick<Opened, 'upstreams' | 'estate'> {
  /** The hooks of the route, which see the request and the whole answer. */
  readonly chain: Chain;
}

/** The hooks that the upstream of a part has for itself; those of the route see the whole request and answer. */
const hooksOf = ({ planned, chain }: OpenedPart): UpstreamHooks | null => {
  const own = chain.instances.filter(({ scope }) => scope === 'upstream');
  return own.length === 0 ? null : { upstreamName: planned.upstream, chain: compileChain(own) };
};

/** Attempts have the hooks of all scopes in their order; each sees the exchange that its other hooks see. */
const attemptsOf = ({ chain }: OpenedPart): PartUpstream['attempt'] => {
  if (chain.attempt === null) return null;
  const each = chain.instances.map((instance) => ({
    own: instance.scope === 'upstream',
    chain: compileChain([instance]),
  }));
  return (x, part, one) => {
    for (const { own, chain } of each) runAttempt(chain, own && part !== null ? part : x, one);
  };
};

/** Makes the target of a planned aggregate. */
export function createAggregateTarget(
  planned: PlannedRoute,
  parts: readonly OpenedPart[],
  { chain, upstreams, estate }: AggregateParts,
): LiveTarget {
  const route = planned.config!;
  return new AggregateTarget(chain, {
    parts: parts.map((opened) =>
      createPartOptions(opened.planned.part, {
        call: opened.call,
        timeouts: opened.planned.timeouts,
        hostHeader: opened.planned.hostHeader,
        hash: hashFor(opened.planned, upstreams, estate.random),
        attempt: attemptsOf(opened),
        hooks: hooksOf(opened),
      }),
    ),
    viaName: estate.viaName,
    wheel: estate.wheel,
    timeoutMs: route.timeoutMs,
    maxDurationMs: route.maxDurationMs,
    partialStatus: route.aggregate!.partialStatus,
    ...variesBy(parts.map((part) => part.planned.part)),
    respond: chain.response === null ? null : (x, reply) => runResponse(chain, x, reply),
    meter: estate.metrics.route(planned.info.name),
  });
}
