/** Who shares a bucket: what the words of `by` give for a request, as one text. */
import { hash } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { compileWord, type Exchange, type Host, type WordReader, z } from 'snowgate/plugin';

/** Longer ones become their digest: a client must not choose how much memory it takes. */
const LONGEST = 128;
/** What these hold may be a secret, which has no place among the keys of a Redis. */
const SECRETIVE = /^(header|cookie|query)\b/;

/** IPv6 by /64, since a household or a machine has at least that; IPv4 as it is. */
export function network(address: string): string {
  if (!address.includes(':')) return address;
  const plain = address.replace(/%.*$/, '');
  if (!ipaddr.IPv6.isValid(plain)) return address;
  const parsed = ipaddr.IPv6.parse(plain);
  // Or all of IPv4 would be one network, however a proxy spells it.
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  const parts = parsed.parts.slice(0, 4);
  return `${parts.map((part) => part.toString(16)).join(':')}::/64`;
}

const digest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 22);

/** One word with its value: `claims.sub=alice`; no two words or values give the same text. */
const labelled = (word: string): WordReader => {
  const read = compileWord(word);
  if (word === 'client.address') return (x) => `client.address=${network(read(x) ?? '')}`;
  const secretive = SECRETIVE.test(word);
  return (x) => {
    const value = read(x);
    if (value === undefined || value === '') return undefined;
    const safe = secretive || value.length > LONGEST ? `#${digest(value)}` : value;
    return `${word}=${safe}`;
  };
};

const joined = (words: readonly string[]): WordReader => {
  const readers = words.map(labelled);
  if (readers.length === 1) return readers[0]!;
  return (x) => {
    const parts: string[] = [];
    for (const read of readers) {
      const part = read(x);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    // As JSON, so that no value can end where another begins.
    return JSON.stringify(parts);
  };
};

export const wordList = (words: z.ZodType<string>) =>
  z.union([words.transform((one) => [one]), z.array(words).min(1).max(5)]);

/** Where an instance stands, by which its buckets are known: no braces, which would spoil a Redis Cluster's hash tags. */
export function placeOf({ scope, owner, instance }: Host, plan = ''): string {
  const parts = [scope, owner, instance, plan].filter((part) => part !== '');
  return parts.map(encodeURIComponent).join('/');
}

/** What happens to a request that lacks a word of `by`: `deny`, `allow`, or words that take its place. */
export type Missing = 'deny' | 'allow' | readonly string[];

/**
 * Makes the reader of keys.
 * @returns the key, `deny` or `allow` (which are no keys: those hold a `=`)
 */
export function keyReader(by: readonly string[], missing: Missing): (x: Exchange) => string {
  const read = joined(by);
  if (typeof missing === 'string') return (x) => read(x) ?? missing;
  const instead = joined(missing);
  return (x) => read(x) ?? instead(x) ?? 'deny';
}
