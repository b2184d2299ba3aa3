/** Tells browsers to be careful with answers, and takes away what answers tell of the software behind. */
import { definePlugin, type Fields, parseDuration, z } from 'snowgate/plugin';

const line = z.string().regex(/^[\x20-\x7e]+$/, 'must be one line of plain text');
const header = z.string().regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]+$/, 'must be a header name');
/** Preload lists ask for a year. */
const PRELOAD_MS = 365 * 86_400_000;

const config = z
  .strictObject({
    hsts: z
      .union([
        z.literal(false),
        z.string().refine((text) => parseDuration(text) !== null, 'must be a duration such as 365d'),
      ])
      .default('365d')
      .describe('How long a browser asks by https only, once it did; sent over https alone. Or false.'),
    subdomains: z.boolean().default(false).describe('Whether that holds for all subdomains too.'),
    preload: z.boolean().default(false).describe('Whether browsers may ship with it; needs `subdomains`.'),
    frame: z
      .literal(['deny', 'sameorigin', false])
      .default('deny')
      .describe('Who may show pages in a frame: nobody, the same site, or false for anybody.'),
    referrer: z
      .union([z.literal(false), line])
      .default('strict-origin-when-cross-origin')
      .describe('What other sites learn of where a visitor came from (Referrer-Policy). Or false.'),
    csp: z
      .union([z.literal(false), line])
      .default(false)
      .describe('The Content-Security-Policy.'),
    permissions: z
      .union([z.literal(false), line])
      .default(false)
      .describe('The Permissions-Policy.'),
    remove: z
      .array(header)
      .default(['server', 'x-powered-by'])
      .describe('Headers that tell of the software behind.'),
    replace: z
      .boolean()
      .default(false)
      .describe("Whether these win over the upstream's own headers of the same name."),
  })
  .superRefine(({ hsts, subdomains, preload }, context) => {
    const told = (message: string) => context.addIssue({ code: 'custom', path: ['preload'], message });
    if (!preload) return;
    if (!subdomains) told('needs subdomains: true');
    if (hsts === false || parseDuration(hsts)! < PRELOAD_MS) told('needs an hsts of 365d or more');
  });

type Config = z.output<typeof config>;

const hstsOf = ({ hsts, subdomains, preload }: Config): string | null => {
  if (hsts === false) return null;
  const seconds = Math.floor(parseDuration(hsts)! / 1000);
  return `max-age=${seconds}${subdomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;
};

const fieldsOf = ({ frame, referrer, csp, permissions }: Config): readonly [string, string][] => {
  const fields: [string, string][] = [['x-content-type-options', 'nosniff']];
  if (frame !== false) fields.push(['x-frame-options', frame.toUpperCase()]);
  if (referrer !== false) fields.push(['referrer-policy', referrer]);
  if (csp !== false) fields.push(['content-security-policy', csp]);
  if (permissions !== false) fields.push(['permissions-policy', permissions]);
  return fields;
};

export default definePlugin({
  name: 'security-headers',
  summary: 'Tells browsers to be careful with answers, and takes away what tells of the software behind.',
  config,
  setup(settings) {
    const hsts = hstsOf(settings);
    const own = fieldsOf(settings);
    const removed = settings.remove.map((name) => name.toLowerCase());
    const set = (fields: Fields, name: string, value: string) => {
      if (settings.replace || fields[name] === undefined) fields[name] = value;
    };
    return {
      response(x, { fields }) {
        for (const name of removed) delete fields[name];
        for (const [name, value] of own) set(fields, name, value);
        // RFC 6797 section 7.2: not over plain http, where anybody could have said it.
        if (hsts !== null && x.client.scheme === 'https') set(fields, 'strict-transport-security', hsts);
      },
    };
  },
});
