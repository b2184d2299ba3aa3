/** From DNS records to endpoints: SRV with the addresses of its targets, or addresses with a port of ours. */
import type { SrvAnswer, StringAnswer } from 'dns-packet';
import type { DnsAnswer, DnsClient } from '../clients/dns.ts';
import { type EndpointSpec, endpointName } from '../wire/endpoint.ts';
import type { RegisteredEndpoint } from './registry.ts';

export interface Found {
  readonly endpoints: readonly RegisteredEndpoint[];
  /** How long that is true; null: not said. */
  readonly ttlSeconds: number | null;
}

type Protocol = EndpointSpec['scheme'];

interface Addresses {
  readonly hosts: readonly string[];
  readonly ttlSeconds: number | null;
}

const shortest = (ttls: readonly (number | null)[]): number | null => {
  const said = ttls.filter((ttl) => ttl !== null);
  return said.length === 0 ? null : Math.min(...said);
};

const isAddress = (answer: { readonly type: string }): answer is StringAnswer =>
  answer.type === 'A' || answer.type === 'AAAA';

const hostsOf = (answer: DnsAnswer): string[] =>
  (answer.answers ?? []).filter(isAddress).map((record) => record.data);

/** Both families; one that fails is no matter where the other has something. */
const addressesOf = async (client: DnsClient, name: string): Promise<Addresses> => {
  const asked = await Promise.allSettled([client.ask(name, 'A'), client.ask(name, 'AAAA')]);
  const answers = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const hosts = answers.flatMap(hostsOf);
  const failed = asked.find((each) => each.status === 'rejected');
  if (hosts.length === 0 && failed !== undefined) throw failed.reason;
  const filled = answers.filter((answer) => hostsOf(answer).length > 0);
  const lasting = filled.length > 0 ? filled : answers;
  return { hosts, ttlSeconds: shortest(lasting.map((answer) => answer.ttlSeconds)) };
};

const endpoint = (
  spec: Pick<EndpointSpec, 'scheme' | 'host' | 'port' | 'weight'>,
  target: string | null,
): RegisteredEndpoint => ({
  ...spec,
  id: endpointName(spec),
  zone: null,
  metadata: target === null ? {} : { target },
});

/** All addresses of a name, with one port and equal weights. */
export async function addressEndpoints(
  client: DnsClient,
  name: string,
  { port, scheme }: { readonly port: number; readonly scheme: Protocol },
): Promise<Found> {
  const { hosts, ttlSeconds } = await addressesOf(client, name);
  return { endpoints: hosts.map((host) => endpoint({ scheme, host, port, weight: 1 }, null)), ttlSeconds };
}

const isSrv = (answer: { readonly type: string }): answer is SrvAnswer => answer.type === 'SRV';

/**
 * The instances of the first priority (RFC 2782); the others stand by until the name server drops these. A weight of 0
 * there means the least share, not none.
 */
export async function srvEndpoints(client: DnsClient, name: string, scheme: Protocol): Promise<Found> {
  const answer = await client.ask(name, 'SRV');
  const records = (answer.answers ?? []).filter(isSrv).map((record) => record.data);
  // A single target `.` says that there is no such service.
  const real = records.filter((record) => record.target !== '.' && record.target !== '');
  const first = Math.min(...real.map((record) => record.priority ?? 0));
  const added = Map.groupBy(answer.additionals.filter(isAddress), (record) => record.name.toLowerCase());
  const found: RegisteredEndpoint[] = [];
  const ttls = [answer.ttlSeconds];
  for (const { target, port, weight = 0, priority = 0 } of real) {
    if (priority !== first) continue;
    const known = added.get(target.toLowerCase());
    const { hosts, ttlSeconds } =
      known === undefined
        ? await addressesOf(client, target)
        : {
            hosts: known.map((record) => record.data),
            ttlSeconds: shortest(known.map((record) => record.ttl ?? null)),
          };
    ttls.push(ttlSeconds);
    // Consul adds an address once for each record that points to it.
    for (const host of new Set(hosts))
      found.push(endpoint({ scheme, host, port, weight: Math.max(1, weight) }, target));
  }
  return { endpoints: found, ttlSeconds: shortest(ttls) };
}
