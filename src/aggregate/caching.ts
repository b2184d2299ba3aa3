/** How long an answer put together from several may be kept: never longer, and by nobody else, than each of them. */
import { type Fields, fieldText } from '../wire/fields.ts';

/** What one answer allows (RFC 9111 section 5.2.2); lifetimes are what is left of them, in seconds. */
interface Policy {
  readonly flags: ReadonlySet<string>;
  readonly maxAgeS: number | null;
  readonly sharedMaxAgeS: number | null;
}

/** Directives that hold for the whole as soon as one part has them. */
const STRICT = ['private', 'no-cache', 'must-revalidate', 'proxy-revalidate', 'no-transform'] as const;
/** Directives that allow something, and so hold only where every part has them. */
const LAX = ['public', 'immutable'] as const;

const DIRECTIVE = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g;

const seconds = (text: string | undefined): number =>
  text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : 0;

/** Seconds since the answer was made, as far as caches on the way have told. */
const ageOf = (fields: Fields): number => seconds(fieldText(fields, 'age')?.trim());

/** The lifetime that `Expires` gives; what cannot be read is over (RFC 9111 section 5.3). */
const expiresIn = (fields: Fields, nowWallMs: number): number | null => {
  const expires = fieldText(fields, 'expires');
  if (expires === undefined) return null;
  const until = Date.parse(expires);
  const made = Date.parse(fieldText(fields, 'date') ?? '');
  return Number.isNaN(until) ? 0 : (until - (Number.isNaN(made) ? nowWallMs : made)) / 1000;
};

const policyOf = (fields: Fields, nowWallMs: number): Policy => {
  const flags = new Set<string>();
  const values = new Map<string, string | undefined>();
  for (const [, name, quoted, token] of (fieldText(fields, 'cache-control') ?? '').matchAll(DIRECTIVE)) {
    const lower = name!.toLowerCase();
    // `private="set-cookie"` and the like are read as the stricter form without a field (section 5.2.2.4).
    flags.add(lower);
    // Where a directive stands twice, the shortest lifetime is the safe one.
    const value = quoted ?? token;
    const before = values.get(lower);
    values.set(lower, before !== undefined && seconds(before) < seconds(value) ? before : value);
  }
  const left = (lifetimeS: number) => Math.max(0, Math.floor(lifetimeS - ageOf(fields)));
  const lifetime = (name: string) => (values.has(name) ? left(seconds(values.get(name))) : null);
  const expiresS = expiresIn(fields, nowWallMs);
  return {
    flags,
    maxAgeS: lifetime('max-age') ?? (expiresS === null ? null : left(expiresS)),
    sharedMaxAgeS: lifetime('s-maxage'),
  };
};

const least = (values: readonly (number | null)[]): number =>
  values.reduce<number>((least, value) => Math.min(least, value ?? 0), Number.POSITIVE_INFINITY);

/**
 * The `Cache-Control` of the whole. A part that says nothing of its lifetime gives none to the whole (`no-cache`), so
 * that no cache guesses one.
 * @param heads of all answers in it
 * @param personal true where the request's author had a hand in it: then no shared cache may keep it
 */
export function strictestCaching(heads: readonly Fields[], personal: boolean, nowWallMs: number): string {
  const policies = heads.map((fields) => policyOf(fields, nowWallMs));
  const some = (name: string) => policies.some(({ flags }) => flags.has(name));
  const every = (name: string) => policies.length > 0 && policies.every(({ flags }) => flags.has(name));
  if (some('no-store')) return 'no-store';
  const isPrivate = personal || some('private');
  const told: string[] = STRICT.filter((name) => (name === 'private' ? isPrivate : some(name)));
  told.push(...LAX.filter((name) => every(name) && !(name === 'public' && isPrivate)));
  const known = policies.every(({ maxAgeS, sharedMaxAgeS }) => maxAgeS !== null || sharedMaxAgeS !== null);
  if (policies.length === 0 || !known) {
    if (!told.includes('no-cache')) told.push('no-cache');
    return told.join(', ');
  }
  told.push(`max-age=${least(policies.map(({ maxAgeS }) => maxAgeS))}`);
  if (!isPrivate && policies.some(({ sharedMaxAgeS }) => sharedMaxAgeS !== null))
    told.push(`s-maxage=${least(policies.map(({ maxAgeS, sharedMaxAgeS }) => sharedMaxAgeS ?? maxAgeS))}`);
  return told.join(', ');
}

/** The fields that the choice of any part depended on, or `*`; null where there are none. */
export function allVary(heads: readonly Fields[], more: readonly string[]): string | null {
  const names = new Set(more);
  for (const fields of heads)
    for (const name of (fieldText(fields, 'vary') ?? '').split(',')) {
      const lower = name.trim().toLowerCase();
      if (lower === '*') return '*';
      if (lower !== '') names.add(lower);
    }
  return names.size === 0 ? null : [...names].join(', ');
}
