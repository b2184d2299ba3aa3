/** Who the client is, once the proxies that the file trusts are taken into account. */
import { BlockList, isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { ClientInfo } from '../plugin.ts';
import { fieldText } from '../wire/fields.ts';
import type { Peer, RequestHead } from '../wire/heads.ts';

/** More hops than this in `x-forwarded-for` is nobody's honest chain. */
const MAX_HOPS = 32;

export interface Trust {
  /** True when no proxy is trusted at all. */
  readonly none: boolean;
  client(peer: Peer, head: RequestHead): ClientInfo;
}

/** IPv4-mapped IPv6 as IPv4, however it is spelled: dual-stack sockets have it, and what some proxies write. */
const plain = (address: string): string => {
  if (!/:ffff:/i.test(address) || !ipaddr.IPv6.isValid(address)) return address;
  const parsed = ipaddr.IPv6.parse(address);
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : address;
};

/** `1.2.3.4:80` and `[::1]:80` without the port, as some proxies write it. */
const withoutPort = (hop: string): string => {
  if (hop.startsWith('[')) return hop.slice(1, hop.indexOf(']'));
  const colon = hop.indexOf(':');
  return colon !== -1 && colon === hop.lastIndexOf(':') ? hop.slice(0, colon) : hop;
};

/**
 * Makes the rule that finds the client: from the right of `x-forwarded-for`, the first address that is not a
 * trusted proxy. Fields of untrusted peers are never read.
 * @param cidrs checked networks such as `10.0.0.0/8`
 */
export function createTrust(cidrs: readonly string[]): Trust {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network, bits] = cidr.split('/') as [string, string | undefined];
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(network, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  const none = cidrs.length === 0;
  const trusted = (address: string) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };

  const farthest = (nearest: string, forwarded: string): string => {
    let address = nearest;
    const hops = forwarded.split(',');
    for (let at = hops.length - 1, left = MAX_HOPS; at >= 0 && left > 0 && trusted(address); at--, left--) {
      const hop = plain(withoutPort(hops[at]!.trim()));
      if (isIP(hop) === 0) break;
      address = hop;
    }
    return address;
  };

  return {
    none,
    client(peer, head) {
      const address = plain(peer.address);
      if (none || !trusted(address)) return { address, trusted: false, scheme: head.scheme };
      const forwarded = fieldText(head.fields, 'x-forwarded-for');
      const scheme = fieldText(head.fields, 'x-forwarded-proto');
      return {
        address: forwarded === undefined ? address : farthest(address, forwarded),
        trusted: true,
        scheme: scheme === 'https' || scheme === 'http' ? scheme : head.scheme,
      };
    },
  };
}
