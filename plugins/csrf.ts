/** Refuses what a page of another site makes a browser send. */
import {
  compileOrigins,
  definePlugin,
  type Exchange,
  isOrigin,
  isOwnOrigin,
  refuse,
  z,
} from 'snowgate/plugin';

/** They change nothing, by RFC 9110 section 9.2.1; a service whose GET does is not helped by this. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A WebSocket is opened by GET, and then says whatever the page likes. */
const isSafe = ({ received: { method, fields } }: Exchange): boolean =>
  SAFE.has(method) && fields['sec-websocket-key'] === undefined;

/**
 * Whose page made the browser send this, by what browsers say themselves and pages cannot change: `Sec-Fetch-Site`
 * (Fetch Metadata) where there is one, else `Origin`. With neither it was no browser, or one from before 2020.
 */
const isForeign = ({ received }: Exchange): boolean => {
  const site = received.fields['sec-fetch-site'];
  // `none`: the user did it, by the address bar or a bookmark.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin } = received.fields;
  return origin !== undefined && !(typeof origin === 'string' && isOwnOrigin(origin, received.authority));
};

export default definePlugin({
  name: 'csrf',
  summary:
    'Refuses what a page of another site makes a browser send with the cookies of whoever looks at it.',
  config: z.strictObject({
    origins: z
      .array(
        z
          .string()
          .refine(isOrigin, 'must be an origin such as https://shop.example, with `*.` for any subdomain'),
      )
      .default([])
      .describe('Other sites whose pages may send requests.'),
  }),
  setup({ origins }) {
    const isListed = compileOrigins(origins);
    return {
      accept(x) {
        if (isSafe(x) || !isForeign(x)) return undefined;
        const { origin } = x.received.fields;
        if (typeof origin === 'string' && isListed(origin)) return undefined;
        return refuse('GW_ORIGIN_REFUSED', `a page of ${String(origin ?? 'another site').slice(0, 100)}`);
      },
    };
  },
});
