/** Where Redis is: one server, Sentinels or a Cluster, as one URL or with its settings. */
import { z } from 'zod';
import { readAddress } from './addresses.ts';
import { duration, form, Refusal, text } from './forms.ts';
import type { RedisConfig, RedisPlace } from './redis-place.ts';
import { section } from './shapes.ts';
import type { Address } from './types.ts';

const EXAMPLE =
  'Write redis://host:6379, redis+sentinel://host:26379,host:26379/name or redis+cluster://host:6379,host:6379.';

const URL_PARTS = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?#@]+)((?:\/[^/?#]*){0,2})$/i;

const readNodes = (list: string, defaultPort: number): Address[] | Refusal => {
  const nodes: Address[] = [];
  for (const each of list.split(',')) {
    const address = readAddress(/:\d+$/.test(each) ? each : `${each}:${defaultPort}`);
    if (address instanceof Refusal) return new Refusal('has a host that is neither an address nor a name');
    nodes.push(address);
  }
  return nodes;
};

/** `user:password`, `:password`; a lone word is the user. Percent escapes are decoded. */
const readCredentials = (part: string): { username: string | null; password: string | null } | Refusal => {
  const colon = part.indexOf(':');
  const [user, password] = colon < 0 ? [part, ''] : [part.slice(0, colon), part.slice(colon + 1)];
  try {
    return { username: decodeURIComponent(user) || null, password: decodeURIComponent(password) || null };
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return new Refusal('has a broken percent escape in its user or password', 'Write % as %25.');
  }
};

const readDatabase = (word: string): number | Refusal => {
  if (word === '') return 0;
  return /^\d{1,4}$/.test(word) ? Number(word) : new Refusal('has a database that is no number');
};

/** Reads a URL; a wrong one is a refusal that quotes nothing of it, since it may hold a password. */
export function readRedisUrl(url: string): RedisPlace | Refusal {
  const match = URL_PARTS.exec(url);
  if (match === null) return new Refusal('is no URL of Redis');
  const [, scheme, variant, secret = '', list, path] = match;
  const kind = variant === undefined ? 'single' : (variant.toLowerCase() as 'sentinel' | 'cluster');
  const nodes = readNodes(list!, kind === 'sentinel' ? 26_379 : 6379);
  if (nodes instanceof Refusal) return nodes;
  if (kind === 'single' && nodes.length > 1)
    return new Refusal('names several servers', 'Several are redis+sentinel:// or redis+cluster://.');
  const credentials = readCredentials(secret);
  if (credentials instanceof Refusal) return credentials;
  const words = (path ?? '').split('/').slice(1);
  const master = kind === 'sentinel' ? (words.shift() ?? '') : '';
  if (kind === 'sentinel' && master === '')
    return new Refusal(
      'names no master',
      'The name that the Sentinels watch comes after the hosts: /mymaster.',
    );
  if (words.length > 1) return new Refusal('has more after the host than a database');
  const db = readDatabase(words[0] ?? '');
  if (db instanceof Refusal) return db;
  if (kind === 'cluster' && db !== 0)
    return new Refusal('names a database, but a Cluster has only one', 'Leave out what follows the hosts.');
  return { kind, nodes, master, ...credentials, db, tls: scheme!.toLowerCase() === 'rediss' };
}

/** A URL, or null for the empty text of a variable that is not set. */
const redisUrl = () =>
  form<RedisPlace | null>({
    form: 'a URL of Redis',
    json: { type: 'string' },
    takes: ['string'],
    remedy: EXAMPLE,
    read: (value) => (value === '' ? null : readRedisUrl(value as string)),
  });

const keyPrefix = () =>
  text({
    form: 'a prefix',
    max: 64,
    json: { pattern: '^[A-Za-z0-9._:-]+$' },
    check: (value) =>
      /^[A-Za-z0-9._:-]+$/.test(value) ? null : new Refusal('holds more than letters, digits and . _ : -'),
  });

/** A URL, or a map with it; nothing at all is none. */
export function redis() {
  const long = section({
    url: redisUrl().describe('As the short form; empty: none.'),
    prefix: keyPrefix()
      .prefault('snowgate')
      .describe('What every key begins with; gateways with the same one share their limits.'),
    timeout: duration()
      .prefault('20ms')
      .describe('Longest wait of a request for an answer; then `onStoreFailure` of its limit holds.'),
  });
  return z.preprocess((value) => value ?? '', z.union([redisUrl(), long])).prefault('');
}

const DEFAULTS = { prefix: 'snowgate', timeoutMs: 20 };

/** Either form as the gateway reads it. */
export function readRedis(input: z.output<ReturnType<typeof redis>>): RedisConfig | null {
  if (input === null || !('url' in input)) return input && { ...input, ...DEFAULTS };
  const { url, prefix, timeout } = input;
  return url && { ...url, prefix, timeoutMs: timeout };
}
