/** The one way that a route with an aggregate goes: to all its parts. */
import type { Chain } from '../pipeline/chain.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import { runResponse } from '../pipeline/run.ts';
import { aggregate } from '../proxy/aggregate.ts';
import { type AggregateOptions, type PartOptions, variesBy } from '../proxy/aggregate-options.ts';
import type { RequestHeadOptions } from '../proxy/request-head.ts';
import type { Estate } from './estate.ts';
import type { LiveTarget } from './live-target.ts';
import type { PlannedRoute } from './plan.ts';

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

  send(x: LiveExchange): void {
    aggregate(x, this.#options);
  }
}

/**
 * Makes the target of a planned aggregate.
 * @param chain the hooks of the route, which see the request and the whole answer
 */
export function createAggregateTarget(
  planned: PlannedRoute,
  chain: Chain,
  parts: readonly PartOptions[],
  { wheel, viaName, metrics }: Pick<Estate, 'wheel' | 'viaName' | 'metrics'>,
): LiveTarget {
  const route = planned.config!;
  return new AggregateTarget(chain, {
    parts,
    viaName,
    wheel,
    timeoutMs: route.timeoutMs,
    maxDurationMs: route.maxDurationMs,
    partialStatus: route.aggregate!.partialStatus,
    ...variesBy(parts.map(({ part }) => part)),
    respond: chain.response === null ? null : (x, reply) => runResponse(chain, x, reply),
    meter: metrics.route(planned.info.name),
  });
}
