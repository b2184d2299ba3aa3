/** Addresses to listen on and URLs to call, as the configuration writes them. */
import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointSpec } from '../wire/endpoint.ts';
import { form, Refusal } from './forms.ts';
import type { Address } from './types.ts';

const EXAMPLE = 'Write host:port, such as 0.0.0.0:8080, 127.0.0.1:8081 or "[::]:8080".';

/** A name of letters, digits, `-` and `_`, with dots; not all digits, as a swapped port would be. */
const isName = (host: string): boolean =>
  host.length <= 253 &&
  /^(?!\d+$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/.test(
    host,
  ) &&
  !/(^|\.)\d+$/.test(host);

/** An IPv4 address or a name. */
const isHost = (host: string): boolean => isIPv4(host) || isName(host);

/** `host:port`, IPv6 in brackets; port 0 lets the system choose. */
export function readAddress(value: string): Address | Refusal {
  if (value.startsWith('unix:') || value.startsWith('/')) return new Refusal('is a path, not host:port');
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(value);
  if (match === null) {
    if (/^\d{1,5}$/.test(value))
      return new Refusal(
        'names no host',
        `Write 0.0.0.0:${value} for every interface, or 127.0.0.1:${value} for this machine only.`,
      );
    if (isIPv6(value.replace(/:\d+$/, '')))
      return new Refusal('is no host:port', 'Put an IPv6 address in brackets and quotes: "[::1]:8080".');
    if (/^\d+:\d+:/.test(value) || /^https?:/.test(value)) return new Refusal('is no host:port');
    return new Refusal(isHost(value) ? 'names no port' : 'is no host:port');
  }
  const [, six, name, digits] = match;
  const port = Number(digits);
  if (port > 65_535) return new Refusal('has a port above 65535');
  if (six !== undefined)
    return isIPv6(six) && !six.includes('%')
      ? { host: six, port }
      : new Refusal('has no IPv6 address in its brackets');
  if (name === '')
    return new Refusal(
      'names no host',
      `Write 0.0.0.0:${port} for every interface, or 127.0.0.1:${port} for this machine only.`,
    );
  if (/^\d+$/.test(name!))
    return new Refusal(
      'looks like two ports',
      'Only the port that is listened on stands here: 0.0.0.0:8080.',
    );
  return isHost(name!)
    ? { host: name!.toLowerCase(), port }
    : new Refusal('has a host that is neither an address nor a name');
}

/** An address to listen on. */
export function address() {
  return form<Address>({
    form: 'host:port',
    json: { type: 'string' },
    takes: ['string', 'number'],
    remedy: EXAMPLE,
    read: (value) => readAddress(String(value)),
  });
}

/** An address, or null for `off`. */
export function addressOrOff() {
  return form<Address | null>({
    form: 'host:port or off',
    json: { anyOf: [{ type: 'string' }, { enum: ['off', false] }] },
    takes: ['string', 'number', 'boolean'],
    remedy: `${EXAMPLE.slice(0, -1)}, or off.`,
    read: (value) => (value === 'off' || value === false ? null : readAddress(String(value))),
  });
}

const TARGET = 'Write a URL such as http://10.0.0.11:8080 or https://api.example.';

/** `http://host:port` or `https://host` of an upstream's instance; nothing may follow the port. */
export function readTarget(value: string, weight: number): EndpointSpec | Refusal {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i.exec(value);
  if (match === null)
    return new Refusal('is no URL', /^[^/]+:\d+$/.test(value) ? `Write http://${value} in full.` : TARGET);
  const [, scheme, authority, rest] = match;
  const lower = scheme!.toLowerCase();
  if (lower !== 'http' && lower !== 'https')
    return new Refusal('begins with neither http:// nor https://', TARGET);
  if (authority!.includes('@'))
    return new Refusal('holds a user or password', 'Send credentials in a header instead.');
  if (rest !== '' && rest !== '/')
    return new Refusal(
      'goes on after the host and port',
      'A path belongs to the route: rewrite or stripPrefix.',
    );
  const full = /:\d*$/.test(authority!.replace(/^\[[^\]]*\]/, ''))
    ? authority!
    : `${authority}:${lower === 'http' ? 80 : 443}`;
  const read = readAddress(full);
  if (read instanceof Refusal) return new Refusal('has a wrong host or port', TARGET);
  if (read.port === 0) return new Refusal('has port 0', TARGET);
  return { scheme: lower, host: read.host, port: read.port, weight };
}

/** Does a word stand for a URL rather than for the name of an upstream? */
export const looksLikeUrl = (word: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(word);

/** The URL of an instance, with weight 1. */
export function targetUrl() {
  return form<EndpointSpec>({
    form: 'http://host:port or https://host:port',
    json: { type: 'string' },
    takes: ['string'],
    remedy: TARGET,
    read: (value) => readTarget(value as string, 1),
  });
}

/** Can this be connected to? An address or a name, IPv6 without brackets, and a port. */
export const isReachable = (host: string, port: number): boolean =>
  (isHost(host) || (isIPv6(host) && !host.includes('%'))) &&
  Number.isInteger(port) &&
  port > 0 &&
  port <= 65_535;
