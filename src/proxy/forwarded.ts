/** X-Forwarded-* and Forwarded (RFC 7239): what the upstream may know of the client, and nothing that a stranger made up. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import { type Fields, fieldText } from '../wire/fields.ts';

/** An address without the IPv4-mapped prefix of dual-stack sockets. */
const plain = (address: string) => (address.startsWith('::ffff:') ? address.slice(7) : address);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const quoted = (text: string) => (TOKEN.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`);

/** What stands after `for=`: the same for every request to a host, so the last one is kept. */
interface Target {
  readonly authority: string;
  readonly scheme: string;
  readonly rest: string;
  readonly port: string;
}

const targetOf = (authority: string, scheme: string): Target => ({
  authority,
  scheme,
  rest: authority === '' ? `;proto=${scheme}` : `;host=${quoted(authority)};proto=${scheme}`,
  port: portOf(authority, scheme),
});

/** The port that the client meant: the authority's, else the scheme's own. */
const portOf = (authority: string, scheme: string): string => {
  const colon = authority.lastIndexOf(':');
  // A colon inside brackets belongs to an IPv6 address.
  if (colon > authority.lastIndexOf(']') && colon !== authority.length - 1 && colon !== -1) {
    return authority.slice(colon + 1);
  }
  return scheme === 'https' ? '443' : '80';
};

let lastTarget = targetOf('', 'http');

/** `x-forwarded-*` and its relatives, underscores included, since CGI-like servers read both spellings as one. */
const isForwarding = (name: string): boolean => {
  const first = name.charCodeAt(0);
  if (first === 102) return name === 'forwarded';
  if (first !== 120) return false;
  return /^x[-_](?:forwarded(?:[-_]|$)|real[-_]ip$|trace[-_]id$|snowgate[-_]mirror$)/.test(name);
};

/** Drops whatever a peer that is not trusted says of those before it, any trace ID of its own, and the mark of a mirror. */
export function dropForwarding(fields: Fields): void {
  for (const name in fields) if (isForwarding(name)) delete fields[name];
}

const append = (fields: Fields, name: string, value: string) => {
  const before = fieldText(fields, name);
  fields[name] = before === undefined || before === '' ? value : `${before}, ${value}`;
};

/**
 * Tells the upstream who asked. From a trusted peer the chain goes on and its host, scheme and port stay;
 * from any other it begins here.
 */
export function setForwarded(x: LiveExchange): void {
  const fields = x.request.fields;
  const { authority, scheme } = x.received;
  if (lastTarget.authority !== authority || lastTarget.scheme !== scheme)
    lastTarget = targetOf(authority, scheme);
  const { rest, port } = lastTarget;
  const address = plain(x.down.peer.address);
  const element = (address.includes(':') ? `for="[${address}]"` : `for=${address}`) + rest;
  if (x.client.trusted) {
    append(fields, 'x-forwarded-for', address);
    append(fields, 'forwarded', element);
    fields['x-forwarded-host'] ??= authority;
    fields['x-forwarded-proto'] ??= x.client.scheme;
    fields['x-forwarded-port'] ??= portOf(authority, x.client.scheme);
    return;
  }
  dropForwarding(fields);
  fields['x-forwarded-for'] = address;
  fields['x-forwarded-host'] = authority;
  fields['x-forwarded-proto'] = scheme;
  fields['x-forwarded-port'] = port;
  fields.forwarded = element;
}
