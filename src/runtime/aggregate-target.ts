/** The one way that a route with an aggregate goes: to all its parts. */
import type { Chain } from '../pipeline/chain.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import { runAttempt, runResponse } from '../pipeline/run.ts';
import { aggregate } from '../proxy/aggregate.ts';
import { type AggregateOptions, createPartOptions, variesBy } from '../proxy/aggregate-options.ts';
import type { RequestHeadOptions } from '../proxy/request-head.ts';
import { hashFor, type Opened } from './forward-plan.ts';
import type { IssueList } from './issue-list.ts';
import type { LiveTarget } from './live-target.ts';
import type { PlannedPart, PlannedRoute } from './plan.ts';

class AggregateTarget implements LiveTarget {
  readonly chain: Chain;
  readonly slotCount: number;
  readonly head: RequestHeadOptions;
  /** There are several; each part knows its own. */
  readonly upstreamName = '';
  readonly #options: AggregateOptions;

  constructor(chain: Chain, slotCount: number, options: AggregateOptions) {
    this.chain = chain;
    this.slotCount = slotCount;
    // The Host is chosen by each part.
    this.head = { hostHeader: 'keep', viaName: options.viaName };
    this.#options = options;
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
  readonly issues: IssueList;
}

const more = (of: readonly unknown[] | null, than: readonly unknown[] | null) =>
  (of?.length ?? 0) > (than?.length ?? 0);

/** There is one request and one answer for the hooks of the route; those of an upstream see only its attempts. */
const warnOfUnseen = ({ planned, chain }: OpenedPart, route: Chain, issues: IssueList) => {
  if (!more(chain.request, route.request) && !more(chain.response, route.response)) return;
  issues.warn({
    message: `plugins of the upstream "${planned.upstream}" that change requests or answers do not see this part`,
    path: planned.part.configPath,
    remedy: 'Use them on the route, or set the headers of the part.',
  });
};

/** Makes the target of a planned aggregate. */
export function createAggregateTarget(
  planned: PlannedRoute,
  parts: readonly OpenedPart[],
  { chain, issues, upstreams, estate }: AggregateParts,
): LiveTarget {
  const route = planned.config!;
  for (const part of parts) warnOfUnseen(part, chain, issues);
  const slotCount = Math.max(chain.slotCount, ...parts.map((part) => part.chain.slotCount));
  return new AggregateTarget(chain, slotCount, {
    parts: parts.map(({ planned: { part, ...to }, call, chain: own }) =>
      createPartOptions(part, {
        call,
        timeouts: to.timeouts,
        hostHeader: to.hostHeader,
        hash: hashFor(to, upstreams, estate.random),
        attempt: own.attempt === null ? null : (x, head, at) => runAttempt(own, x, { head, to: at }),
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
