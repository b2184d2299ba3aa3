/** Limits how many requests of a client are under way at once, in this process or shared through Redis. */
import {
  compileWord,
  definePlugin,
  type Exchange,
  parseDuration,
  type Reply,
  refuse,
  word,
  z,
} from 'snowgate/plugin';
import { compileRanges, ranges } from './_auth/ranges.ts';
import { duration } from './_limits/duration.ts';
import { Gate } from './_limits/gate.ts';
import { keyReader, placeOf, wordList } from './_limits/key.ts';
import { Ticket } from './_limits/places.ts';

const limit = z.int().min(1).max(1_000_000);

const config = z
  .strictObject({
    limit: limit.describe('Requests under way at once; a WebSocket or a stream is, until it ends.'),
    by: wordList(word())
      .default(['client.address'])
      .describe('Whose requests are counted together: a word such as `claims.sub`, or a list of them.'),
    missing: z
      .union([z.literal(['deny', 'allow']), wordList(word())])
      .default(['client.address'])
      .describe('For a request that lacks what `by` names: other words, `deny`, or `allow`.'),
    plan: word().optional().describe('The word that names the plan of a request, such as `principal.plan`.'),
    plans: z
      .record(z.string(), z.union([z.literal(false), limit]))
      .default({})
      .describe('Limits by plan, instead of `limit`; false: none.'),
    allow: ranges.default([]).describe('Addresses and ranges that are not limited.'),
    queue: z
      .int()
      .min(0)
      .max(100_000)
      .default(0)
      .describe('Requests of one key that may wait for a place in this gateway.'),
    queueTimeout: duration('500ms').default('1s').describe('Longest wait for a place.'),
    shared: z.boolean().default(false).describe('Count the requests of all gateways, in Redis.'),
  })
  .superRefine((value, context) => {
    const issue = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if ((value.plan === undefined) !== (Object.keys(value.plans).length === 0))
      issue(['plans'], '`plan` and `plans` need each other');
  });

type Config = z.output<typeof config>;

/** The limit of a request by its plan; null: none. */
const limitReader = ({ limit, plan, plans }: Config): ((x: Exchange) => number | null) => {
  if (plan === undefined) return () => limit;
  const read = compileWord(plan);
  const byPlan = new Map(Object.entries(plans));
  return (x) => {
    const own = byPlan.get(read(x) ?? '') ?? limit;
    return own === false ? null : own;
  };
};

export default definePlugin({
  name: 'in-flight',
  summary: 'Limits how many requests of a client are under way at once, here or shared through Redis.',
  config,
  async setup(settings, host) {
    if (settings.shared && host.redis === null)
      throw new Error('`shared` needs `redis` at the root of the file');
    const gate = await Gate.open(
      {
        name: placeOf(host),
        line: { most: settings.queue, timeoutMs: parseDuration(settings.queueTimeout)! },
        isShared: settings.shared,
      },
      host,
    );
    const limitOf = limitReader(settings);
    const keyOf = keyReader(settings.by, settings.missing);
    const isFree = settings.allow.length === 0 ? null : compileRanges(settings.allow);
    const counter = host.counter(
      'in_flight',
      'Requests that were let in or refused by how many were there.',
      ['result'],
    );

    const judge = (x: Exchange, ticket: Ticket, isIn: boolean): Reply | undefined => {
      if (ticket.isPart) x.degrade('places-local');
      counter.add(1, { result: isIn ? 'allowed' : 'refused' });
      if (isIn) return undefined;
      return refuse('GW_IN_FLIGHT', `${host.instance}: ${ticket.limit} at once`, {
        'ratelimit-policy': `"${host.instance}";q=${ticket.limit};qu="concurrent-requests"`,
        'retry-after': '1',
      });
    };

    return {
      admit(x) {
        if (isFree?.(x.client.address) === true) return;
        const limit = limitOf(x);
        if (limit === null) return;
        const key = keyOf(x);
        if (key === 'allow') return;
        if (key === 'deny')
          return refuse('GW_FORBIDDEN', `${host.instance}: the request lacks ${settings.by.join(', ')}`);
        const ticket = new Ticket(key, limit);
        x.slots[host.slot] = ticket;
        const answer = gate.enter(ticket);
        return answer instanceof Promise
          ? answer.then((isIn) => judge(x, ticket, isIn))
          : judge(x, ticket, answer);
      },
      log(x) {
        const ticket = x.slots[host.slot] as Ticket | undefined;
        if (ticket !== undefined) gate.leave(ticket);
      },
      dispose: () => gate.close(),
    };
  },
});
