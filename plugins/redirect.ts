/** Answers with another place to go to. */
import { definePlugin, type Exchange, reply, z } from 'snowgate/plugin';

const WORD = /\{([A-Za-z_][A-Za-z0-9_-]*)\}/g;

const target = z
  .string()
  .regex(/^(https?:\/\/|\/)[\x21-\x7e]*$/, 'must begin with http://, https:// or / and hold no spaces')
  .refine((text) => !text.startsWith('//'), 'must not begin with //: name the scheme');

/** One path segment or query value, so that a parameter can never change where the address points. */
const encoded = (text: string): string => encodeURIComponent(text.toWellFormed());

const wordOf = (x: Exchange, word: string): string => {
  if (word === 'host') return x.received.authority.replace(/:\d+$/, '');
  if (word === 'path') return x.received.path;
  const param = x.params[word];
  if (param === undefined) throw new Error(`the route has no parameter {${word}}`);
  return encoded(param);
};

export default definePlugin({
  name: 'redirect',
  summary: 'Answers with a redirect; the address may hold {host}, {path} and the parameters of the route.',
  config: z.strictObject({
    to: target.describe('Where to: an address or a path, which may hold {host}, {path} and {parameters}.'),
    status: z
      .literal([301, 302, 303, 307, 308])
      .default(302)
      .describe('301 and 308 are remembered by browsers; 307 and 308 keep the method.'),
    keepQuery: z.boolean().default(true).describe('Whether the query goes along.'),
  }),
  setup({ to, status, keepQuery }) {
    const [, target = to, fragment = ''] = /^([^#]*)(#.*)?$/.exec(to) ?? [];
    const joint = target.includes('?') ? '&' : '?';
    return {
      accept(x) {
        let location = target.replaceAll(WORD, (_, word: string) => wordOf(x, word));
        // A path of two slashes would be read as another host.
        if (target.startsWith('/') || target.startsWith('{')) location = location.replace(/^[/\\]+/, '/');
        const { query } = x.received;
        if (keepQuery && query.length > 1) location += joint + query.slice(1);
        return reply(status, { location: location + fragment });
      },
    };
  },
});
