/** The keys of an aggregate: several calls of one route, and how their answers are put together. */
import { z } from 'zod';
import { duration, flag, integer, Refusal, size, text } from './forms.ts';
import { readMethod } from './patterns.ts';
import { section, table } from './shapes.ts';

/** More parts in one answer are a sign that the services are cut wrongly, and each costs every client its time. */
export const MOST_PARTS = 16;
const MOST_BYTES = 16 * 1024 ** 2;

/** A page of a list; whoever shows more at once should have a service that answers for many. */
const MOST_ELEMENTS = 50;

const method = () =>
  text({
    form: 'a method',
    max: 32,
    check: (value) => {
      const read = readMethod(value);
      return read instanceof Refusal ? read : null;
    },
  });

const member = () => text({ form: 'the name of a member', max: 256 });

const list = () => text({ form: '`parts.NAME`, or a list within it', max: 256 });

const longEach = section({
  of: list().describe('The list, as `parts.orders` or `parts.orders.items`.'),
  most: integer(1, 1000)
    .prefault(MOST_ELEMENTS)
    .describe('Most elements that calls are made for; a longer list is a failure of the part.'),
  concurrency: integer(1, 100).prefault(8).describe('Most calls of the part under way at a time.'),
});

/** The short form says the list alone. */
const each = z.union([list().transform((of) => longEach.parse({ of })), longEach]);

const part = section({
  upstream: text({ form: 'the name of an upstream, registry/service, or a URL' }).describe(
    'Whom to ask: the name of an upstream, registry/service, or a URL.',
  ),
  each: each
    .optional()
    .describe(
      "A list in another part's answer: this part is asked for each element, which is `{each}` in its templates. As a map it says how many.",
    ),
  method: method().prefault('GET').describe('Method of the call.'),
  path: text({ form: 'a path with {words}' }).describe(
    'Path and query of the call, with values in braces: `{params.id}`, `{claims.sub}`, `{parts.user.id}`.',
  ),
  headers: table(text({ form: 'text with {words}' })).describe(
    'Headers of the call, over those that came from the client.',
  ),
  body: z
    .unknown()
    .optional()
    .meta({ form: 'JSON with {words}' })
    .describe('JSON to send; a text that is one whole `{word}` becomes its value with its type.'),
  timeout: duration()
    .optional()
    .describe(
      'Time for the whole answer of the part, with `each` for all its calls; default: what is left of `timeout` of the route.',
    ),
  optional: flag().prefault(false).describe('Answer without this part when it fails.'),
  default: z
    .unknown()
    .optional()
    .meta({ form: 'JSON' })
    .describe('What stands in for an optional part that failed; default: null.'),
  at: text({ form: 'a JSON Pointer' })
    .optional()
    .describe('The place in the answer to take, as `/data/items`; default: all of it.'),
  pick: z.array(member()).optional().describe('Members to keep, of the map or of each map in the list.'),
  drop: z.array(member()).prefault([]).describe('Members to leave out.'),
  rename: table(member()).describe('Members to call otherwise: a map of old name to new name.'),
  into: text({ form: 'a name, `/`, or `each.NAME`', max: 256 })
    .optional()
    .describe(
      "Name in the answer; `/` puts the members beside the others, `each.NAME` each answer into its element. Default: the part's own name.",
    ),
  passStatus: z
    .array(integer(400, 499))
    .prefault([])
    .describe('Statuses of the part that become the answer to the client, with its body.'),
  setCookie: flag().prefault(false).describe("Pass the part's Set-Cookie on."),
  limit: size(1, MOST_BYTES)
    .prefault('1MiB')
    .describe('Largest answer of the part; with `each`, of all its calls together.'),
});

/** `aggregate` of a route. */
export const aggregate = z
  .record(z.string(), part)
  .optional()
  .describe('Several calls, by name, whose JSON answers become one: see aggregate.md.');

/** `partialStatus` of a route. */
export const partialStatus = integer(200, 299)
  .optional()
  .describe('Status of an aggregate that lacks an optional part; default: 200.');

export type PartInput = z.output<typeof part>;
export type EachInput = z.output<typeof each>;
