/** Where a credential stands in a request: a header, a cookie or a query parameter; how it is read, and how it is taken out. */
import { cookieText, type Exchange, queryText, type RequestHead, z } from 'snowgate/plugin';
import { schemePattern } from './scheme.ts';

const PLACE = /^(header|cookie|query)\.([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})$/;

/** The setting `from`. */
export const placesSchema = (byDefault: string) =>
  z
    .array(z.string().regex(PLACE, 'must be header.NAME, cookie.NAME or query.NAME'))
    .min(1)
    .default([byDefault])
    .describe(
      'Where it stands: header.NAME, cookie.NAME, query.NAME; the first place that holds one counts.',
    );

/** One place. `read` gives '' for a credential that is there but cannot be right, undefined where there is none. */
export interface Place {
  read(x: Exchange): string | undefined;
  /** Takes it out of what is sent. */
  strip(head: RequestHead): void;
  /** Puts the one that was read back, and nothing else that stood in a place: the upstream sees whom the gateway saw. */
  restore(x: Exchange, head: RequestHead): void;
}

const BEARER = schemePattern('bearer');

const restoreField =
  (name: string): Place['restore'] =>
  ({ received }, { fields }) => {
    const value = received.fields[name];
    if (value !== undefined) fields[name] = value;
  };

/** `Authorization: Bearer …` (RFC 6750 section 2.1); another scheme is somebody else's credential. */
const authorization: Place = {
  read(x) {
    const value = x.received.fields.authorization;
    if (value === undefined) return undefined;
    // Two of them: which one counts would be a guess, here and upstream.
    if (typeof value !== 'string') return '';
    const scheme = BEARER.exec(value)?.[0];
    return scheme === undefined ? undefined : value.slice(scheme.length).trim();
  },
  strip({ fields }) {
    const value = fields.authorization;
    if (value !== undefined && (typeof value !== 'string' || BEARER.test(value))) delete fields.authorization;
  },
  restore: restoreField('authorization'),
};

const header = (name: string): Place => ({
  read(x) {
    const value = x.received.fields[name];
    return typeof value === 'object' ? '' : value?.replace(BEARER, '').trim();
  },
  strip({ fields }) {
    delete fields[name];
  },
  restore: restoreField(name),
});

/** A `cookie` field without the cookies of a name; '' when nothing is left. */
const withoutCookie = (text: string, name: string): string =>
  text
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && (pair.split('=', 1)[0] ?? '').trim() !== name)
    .join('; ');

const cookie = (name: string): Place => ({
  read: (x) => cookieText(x.received.fields, name),
  strip({ fields }) {
    const value = fields.cookie;
    if (value === undefined) return;
    const left = withoutCookie(typeof value === 'string' ? value : value.join('; '), name);
    if (left === '') delete fields.cookie;
    else fields.cookie = left;
  },
  restore({ received }, { fields }) {
    const own = `${name}=${cookieText(received.fields, name) ?? ''}`;
    const { cookie: others } = fields;
    fields.cookie = others === undefined ? own : `${own}; ${[others].flat().join('; ')}`;
  },
});

/** A query without the parameters of a name; '' when nothing is left. */
const withoutParameter = (text: string, name: string): string => {
  const left = text
    .slice(1)
    .split('&')
    .filter((pair) => queryText(`?${pair}`, name) === undefined);
  return left.length === 0 ? '' : `?${left.join('&')}`;
};

/** A page whose address holds a token names that address with all that it loads. */
const withoutReferred = (referer: string, name: string): string => {
  const [, page = '', search = '', fragment = ''] = /^([^?#]*)(\?[^#]*)?(.*)$/s.exec(referer) ?? [];
  return page + withoutParameter(search, name) + fragment;
};

const query = (name: string): Place => ({
  read: (x) => queryText(x.received.query, name),
  strip(head) {
    if (head.query !== '') head.query = withoutParameter(head.query, name);
    const { referer } = head.fields;
    if (referer?.includes('?') === true)
      head.fields.referer = withoutReferred([referer].flat().join(', '), name);
  },
  restore({ received }, head) {
    const own = `${encodeURIComponent(name)}=${encodeURIComponent(queryText(received.query, name) ?? '')}`;
    head.query = head.query === '' ? `?${own}` : `${head.query}&${own}`;
  },
});

const compile = (text: string): Place => {
  const [, kind, name] = PLACE.exec(text)!;
  if (kind === 'cookie') return cookie(name!);
  if (kind === 'query') return query(name!);
  const lower = name!.toLowerCase();
  return lower === 'authorization' ? authorization : header(lower);
};

/** Several places as one: read in their order, stripped all of them. */
export function compilePlaces(texts: readonly string[]): Place {
  const places = texts.map(compile);
  if (places.length === 1) return places[0]!;
  return {
    read(x) {
      for (const place of places) {
        const found = place.read(x);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    strip(head) {
      for (const place of places) place.strip(head);
    },
    restore(x, head) {
      places.find((place) => place.read(x) !== undefined)?.restore(x, head);
    },
  };
}

/** Takes a credential out of all its places in what is sent; where it goes on, the one that was read stays. */
export function clearPlaces(place: Place, x: Exchange, goesOn: boolean): void {
  place.strip(x.request);
  if (goesOn && place.read(x) !== undefined) place.restore(x, x.request);
}
