/** What is known of the endpoints of each upstream: where it comes from, how old it is, and what is in use. */
import { endpointName } from '../wire/endpoint.ts';
import { type Followed, whyEmpty } from './registries.ts';
import type { Snapshot } from './snapshot.ts';

export interface FoundEndpoint {
  /** As the registry names the instance; null where the configuration names the endpoint. */
  readonly id: string | null;
  readonly endpoint: string;
  readonly weight: number;
  readonly zone: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether it takes requests now; false also where checks or failures keep it out. */
  readonly available: boolean;
}

export interface Findings {
  readonly upstream: string;
  /** Null where the configuration names the endpoints. */
  readonly registry: string | null;
  readonly service: string | null;
  /** Where the endpoints in use come from. */
  readonly from: 'configuration' | 'registry' | 'snapshot' | 'nothing';
  /** When the last good answer came, ISO 8601; null: never. */
  readonly answeredAt: string | null;
  /** How old that is while the registry fails; 0 while it is well. */
  readonly ageSeconds: number;
  /** Why the last try failed; null while the registry is well. */
  readonly failure: string | null;
  /** How many endpoints an answer has that waits to be confirmed; null: there is none. */
  readonly doubted: number | null;
  /** Why there is no endpoint; null where there are some. */
  readonly why: string | null;
  readonly endpoints: readonly FoundEndpoint[];
}

type Origin = Pick<
  Findings,
  'registry' | 'service' | 'from' | 'answeredAt' | 'ageSeconds' | 'failure' | 'doubted'
>;

const CONFIGURED: Origin = {
  registry: null,
  service: null,
  from: 'configuration',
  answeredAt: null,
  ageSeconds: 0,
  failure: null,
  doubted: null,
};

const originOf = (followed: Followed | null): Origin => {
  if (followed === null) return CONFIGURED;
  const { registry, service } = followed.discover;
  const { from, answeredMs, ageMs, failure, doubted } = followed.membership.state();
  return {
    registry,
    service,
    from,
    answeredAt: answeredMs === null ? null : new Date(answeredMs).toISOString(),
    ageSeconds: Math.round(ageMs / 1000),
    failure,
    doubted,
  };
};

/** All upstreams of a configuration. */
export function describeEndpoints(snapshot: Snapshot): Findings[] {
  return [...snapshot.upstreams].map(([name, { upstream, followed }]) => {
    const told = new Map((followed?.membership.endpoints ?? []).map((each) => [endpointName(each), each]));
    const endpoints = upstream.slots.map(({ name: endpoint, spec, weight, available }) => ({
      id: told.get(endpoint)?.id ?? null,
      endpoint,
      weight,
      zone: spec.zone ?? null,
      metadata: told.get(endpoint)?.metadata ?? {},
      available,
    }));
    const why = endpoints.length === 0 ? whyEmpty(followed) : null;
    return { upstream: name, ...originOf(followed), why, endpoints };
  });
}
