/** Where the calls of an upstream go when it has nobody for them: the key `failover`, and its loops. */
import type { Part } from './parse-part.ts';
import type { UpstreamInput } from './schema.ts';
import { resolveUpstream, type ShareScope } from './shares.ts';
import type { Upstream } from './types.ts';

/** The upstreams that follow one another from this one on; a loop ends where it closes. */
export function failoverChain(upstreams: Readonly<Record<string, Upstream>>, name: string): string[] {
  const chain: string[] = [];
  let next = upstreams[name]?.failover ?? null;
  while (next !== null && next !== name && !chain.includes(next)) {
    chain.push(next);
    next = upstreams[next]?.failover ?? null;
  }
  return next === null ? chain : [...chain, next];
}

const checkLoops = ({ report, upstreams }: ShareScope): void => {
  const told = new Set<string>();
  for (const { name, path, failover } of Object.values(upstreams)) {
    const chain = failoverChain(upstreams, name);
    if (failover === null || chain.at(-1) !== name || told.has(name)) continue;
    for (const member of chain) told.add(member);
    report.on([...path, 'failover'], {
      message:
        chain.length === 1
          ? 'an upstream cannot stand in for itself'
          : 'the failovers lead back to where they began',
      remedy: chain.length === 1 ? 'Name another one.' : `They go ${[name, ...chain].join(' → ')}.`,
    });
  }
};

/** Sets `failover` of all upstreams of the file, once all names are known; mistakes are reported. */
export function readFailovers(
  scope: ShareScope,
  parts: ReadonlyMap<string, Part<UpstreamInput> | null>,
): void {
  const { upstreams } = scope;
  for (const [name, part] of parts) {
    const word = part?.input.failover;
    const upstream = upstreams[name];
    if (word === undefined || upstream === undefined) continue;
    const path = [...upstream.path, 'failover'];
    upstreams[name] = { ...upstream, failover: resolveUpstream(scope, word, { path, key: false }) };
  }
  checkLoops(scope);
}
