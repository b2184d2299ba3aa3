/** Where a balancer that hashes sends a request while all endpoints are well. */
import type { Upstream } from '../config/types.ts';
import { hashText } from '../kernel/hash.ts';
import { maglevTable, placeOf } from '../upstream/balancers/maglev.ts';
import { type EndpointSpec, endpointName } from '../wire/endpoint.ts';
import { compileWord, type WordSource } from '../wire/words.ts';

export interface Home {
  readonly by: string;
  /** Null where the request has no such thing, and so goes anywhere. */
  readonly endpoint: string | null;
}

/** Gives null where the upstream does not hash. */
export function homeOf(
  { balance, zone }: Upstream,
  endpoints: readonly EndpointSpec[],
  source: WordSource,
): Home | null {
  if (balance.method !== 'hash') return null;
  const key = compileWord(balance.by)(source);
  const near = endpoints.filter((spec) => spec.zone === zone);
  const specs = zone === null || near.length === 0 ? endpoints : near;
  const table = key === undefined ? null : maglevTable(specs);
  const home = table === null ? null : specs[table[placeOf(hashText(key!))]!]!;
  return { by: balance.by, endpoint: home === null ? null : endpointName(home) };
}
