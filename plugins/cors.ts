/** Cross-origin requests: answers preflights and marks answers as the Fetch standard asks. */
import {
  compileOrigins,
  definePlugin,
  type Exchange,
  type Fields,
  isOrigin,
  parseDuration,
  type Reply,
  reply,
  z,
} from 'snowgate/plugin';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const names = (example: string) =>
  z.array(z.string().regex(TOKEN, `must be a name such as ${example}`)).readonly();

const config = z
  .strictObject({
    origins: z
      .array(
        z
          .string()
          .refine(
            (text) => text === '*' || isOrigin(text),
            'must be an origin such as https://shop.example, without a path',
          ),
      )
      .min(1)
      .describe('Who may read answers: origins, with `*.` for any subdomain, or `*` for everybody.'),
    methods: names('GET')
      .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .describe('Methods a page may use.'),
    headers: names('content-type')
      .default(['content-type', 'authorization'])
      .describe('Request headers a page may set.'),
    expose: names('x-trace-id').default([]).describe('Response headers a page may read.'),
    credentials: z.boolean().default(false).describe('Whether cookies and other credentials may be sent.'),
    maxAge: z
      .string()
      .refine((text) => parseDuration(text) !== null, 'must be a duration such as 10m')
      .default('10m')
      .describe('How long a browser may remember a preflight.'),
  })
  .superRefine((value, context) => {
    if (!value.credentials) return;
    // The standard takes `*` literally here, and echoing every origin would let any site act for the user.
    for (const key of ['origins', 'methods', 'headers', 'expose'] as const) {
      const at = value[key].indexOf('*');
      if (at < 0) continue;
      context.addIssue({
        code: 'custom',
        path: [key, at],
        message: '"*" cannot be used together with credentials: list them',
      });
    }
  });

const textOf = (fields: Readonly<Fields>, name: string): string | null => {
  const value = fields[name];
  return typeof value === 'string' ? value : null;
};

const isPreflight = ({ received }: Exchange): boolean =>
  received.method === 'OPTIONS' &&
  received.fields.origin !== undefined &&
  received.fields['access-control-request-method'] !== undefined;

/** Adds names to `Vary`, which tells caches what an answer depends on. */
const vary = (fields: Fields, added: readonly string[]): void => {
  const old = fields.vary;
  const list = (typeof old === 'object' ? old.join(',') : (old ?? '')).split(',').map((name) => name.trim());
  if (list.includes('*')) return;
  const have = new Set(list.map((name) => name.toLowerCase()));
  fields.vary = [...list.filter(Boolean), ...added.filter((name) => !have.has(name.toLowerCase()))].join(
    ', ',
  );
};

const PREFLIGHT_VARY = ['Access-Control-Request-Method', 'Access-Control-Request-Headers'];

export default definePlugin({
  name: 'cors',
  summary: 'Lets pages of other origins call the routes: answers preflights and adds the CORS headers.',
  config,
  setup({ origins, methods, headers, expose, credentials, maxAge }) {
    const anyone = origins.includes('*');
    const isListed = compileOrigins(origins);
    const maxAgeSeconds = String(Math.floor(parseDuration(maxAge)! / 1000));

    const mark = (x: Exchange, fields: Fields): boolean => {
      const origin = textOf(x.received.fields, 'origin');
      const allowed = origin !== null && (anyone || isListed(origin));
      if (!anyone) vary(fields, ['Origin']);
      if (!allowed) return false;
      fields['access-control-allow-origin'] = anyone ? '*' : origin;
      if (credentials) fields['access-control-allow-credentials'] = 'true';
      return true;
    };

    const answerPreflight = (x: Exchange): Reply => {
      const answer = reply(204);
      const { fields } = answer;
      vary(fields, PREFLIGHT_VARY);
      if (!mark(x, fields)) return answer;
      fields['access-control-allow-methods'] = methods.join(', ');
      if (headers.length > 0) fields['access-control-allow-headers'] = headers.join(', ');
      fields['access-control-max-age'] = maxAgeSeconds;
      return answer;
    };

    return {
      accept: (x) => (isPreflight(x) ? answerPreflight(x) : undefined),
      response(x, { fields }) {
        if (isPreflight(x)) return;
        // One policy: a second allow-origin from the upstream would make browsers refuse the answer.
        for (const name in fields) if (name.startsWith('access-control-')) delete fields[name];
        if (mark(x, fields) && expose.length > 0) fields['access-control-expose-headers'] = expose.join(', ');
      },
    };
  },
});
