/** Limits how fast clients may ask: token buckets and calendar quotas, in this process or shared through Redis. */
import {
  type Answer,
  compileWord,
  definePlugin,
  type Exchange,
  type Host,
  type Reply,
  refuse,
  word,
  z,
} from 'snowgate/plugin';
import { compileRanges, ranges } from './_auth/ranges.ts';
import { append, LimitFields, retryAfter } from './_limits/fields.ts';
import { keyReader, placeOf, wordList } from './_limits/key.ts';
import { Limit, type Ruling } from './_limits/limit.ts';
import { checkLimit, type LimitInput, limitKeys, limitShape, readWindows } from './_limits/settings.ts';

const config = z
  .strictObject({
    ...limitShape,
    by: wordList(word())
      .default(['client.address'])
      .describe('Who shares a bucket: a word such as `claims.sub`, or a list of them.'),
    missing: z
      .union([z.literal(['deny', 'allow']), wordList(word())])
      .default(['client.address'])
      .describe('For a request that lacks what `by` names: other words, `deny`, or `allow`.'),
    cost: z.int().min(1).default(1).describe('Tokens of one request.'),
    plan: word().optional().describe('The word that names the plan of a request, such as `principal.plan`.'),
    plans: z
      .record(z.string(), z.union([z.literal(false), limitKeys]))
      .default({})
      .describe('Limits by plan, instead of those beside it; false: none.'),
    allow: ranges.default([]).describe('Addresses and ranges that are not limited.'),
    early: z
      .boolean()
      .default(false)
      .describe('Count before the authenticators, so that wrong credentials count too; not by who it is.'),
    dryRun: z.boolean().default(false).describe('Only count what would be refused.'),
    headers: z.boolean().default(true).describe('Tell clients in `RateLimit` and `RateLimit-Policy`.'),
    sync: z
      .literal(['exact', 'leased'])
      .default('exact')
      .describe(
        'With Redis: ask it for each request, or take tokens in advance, a quarter of a bucket at most.',
      ),
    onStoreFailure: z
      .literal(['local', 'open', 'closed'])
      .default('local')
      .describe('While Redis is gone: limit here, by the part of one gateway; let all pass; or refuse all.'),
    keys: z
      .int()
      .min(100)
      .max(10_000_000)
      .default(100_000)
      .describe('Buckets kept in this process, at most; the longest unused are forgotten.'),
  })
  .superRefine((value, context) => {
    checkLimit(value, context);
    const issue = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if ((value.plan === undefined) !== (Object.keys(value.plans).length === 0))
      issue(['plans'], '`plan` and `plans` need each other');
    const words = [
      ...value.by,
      ...(typeof value.missing === 'string' ? [] : value.missing),
      value.plan ?? '',
    ];
    if (value.early && words.some((each) => /^(principal|claims)\b/.test(each)))
      issue(['early'], 'nobody is known before the authenticators: take words such as client.address');
    const limits = [value, ...Object.values(value.plans)].filter((limit) => limit !== false);
    if (limits.some((limit) => readable(limit) && leastOf(limit) < value.cost))
      issue(['cost'], 'must fit into every window at once, or no request would ever pass');
  });

type Config = z.output<typeof config>;

/** Windows that were refused have been told already. */
const readable = (input: LimitInput): boolean => limitKeys.safeParse(limitOf(input)).success;
const limitOf = ({ rate, burst, windows, quota }: LimitInput): LimitInput => ({
  rate,
  burst,
  windows,
  quota,
});
const leastOf = (input: LimitInput): number => Math.min(...readWindows(input).map((window) => window.limit));

/** A limit with what clients are told of it. */
interface Policy {
  readonly limit: Limit;
  readonly fields: LimitFields;
}

/** What `response` adds, kept on the exchange. */
interface Told {
  readonly policy: string;
  readonly state: string;
}

const openPolicies = async (settings: Config, host: Host) => {
  const { cost, sync, onStoreFailure, keys } = settings;
  const opened: Limit[] = [];
  const open = async (input: LimitInput, plan: string): Promise<Policy> => {
    const windows = readWindows(input);
    const limit = await Limit.open(
      { name: placeOf(host, plan), windows, cost, sync, onStoreFailure, keys },
      host,
    );
    opened.push(limit);
    return { limit, fields: new LimitFields(host.instance, windows, cost) };
  };
  const base = await open(settings, '');
  const plans = new Map<string, Policy | null>();
  for (const [name, plan] of Object.entries(settings.plans))
    plans.set(name, plan === false ? null : await open(plan, name));
  const close = () => {
    for (const limit of opened) limit.close();
  };
  return { base, plans, close };
};

/** The policy of a request: that of its plan (null: none), or the plugin's own. */
const chooser = (
  plan: string | undefined,
  { base, plans }: { readonly base: Policy; readonly plans: ReadonlyMap<string, Policy | null> },
): ((x: Exchange) => Policy | null) => {
  if (plan === undefined) return () => base;
  const read = compileWord(plan);
  return (x) => {
    const own = plans.get(read(x) ?? '');
    return own === undefined ? base : own;
  };
};

export default definePlugin({
  name: 'rate-limit',
  summary:
    'Limits how fast clients may ask: token buckets and calendar quotas, here or shared through Redis.',
  config,
  async setup(settings, host) {
    const { allow, dryRun, headers, missing, by } = settings;
    if (host.redis === null)
      host.note(
        'each gateway keeps these buckets for itself: several together let through as many times the limit',
        'Where more than one gateway runs, let them share a Redis: `redis: redis://host:6379`.',
      );
    const policies = await openPolicies(settings, host);
    const policyOf = chooser(settings.plan, policies);
    const keyOf = keyReader(by, missing);
    const isFree = allow.length === 0 ? null : compileRanges(allow);
    const counter = host.counter(
      'rate_limit',
      'Requests that a limit looked at, by what became of them and where their bucket was.',
      ['result', 'store'],
    );

    const resultOf = (isAllowed: boolean): string => {
      if (isAllowed) return 'allowed';
      return dryRun ? 'would_refuse' : 'refused';
    };

    const judge = (x: Exchange, policy: Policy, { decision, where, windows }: Ruling): Reply | undefined => {
      if (where === 'local') x.degrade('limit-local');
      else if (where === 'open') x.degrade('limit-open');
      if (decision === null) {
        counter.add(1, { result: resultOf(where === 'open'), store: where });
        if (where === 'open' || dryRun) return undefined;
        return refuse('GW_LIMIT_STORE', host.instance, { 'retry-after': '1' });
      }
      const isAllowed = decision.granted > 0;
      counter.add(1, { result: resultOf(isAllowed), store: where });
      if (dryRun) return undefined;
      if (headers) {
        const told: Told = { policy: policy.fields.policy, state: policy.fields.state(decision, windows) };
        x.slots[host.slot] = told;
      }
      if (isAllowed) return undefined;
      const window = windows[decision.tightest]!;
      const detail = `${host.instance}: ${window.text}${where === 'local' ? ', this gateway’s part' : ''}`;
      return refuse('GW_RATE_LIMITED', detail, { 'retry-after': retryAfter(decision.waitUs) });
    };

    const decide = (x: Exchange): Answer => {
      if (isFree?.(x.client.address) === true) return;
      const policy = policyOf(x);
      if (policy === null) return;
      const key = keyOf(x);
      if (key === 'allow') return;
      if (key === 'deny')
        return refuse('GW_FORBIDDEN', `${host.instance}: the request lacks ${by.join(', ')}`);
      return policy.limit.decide(key, (ruling) => judge(x, policy, ruling));
    };

    return {
      [settings.early ? 'accept' : 'admit']: decide,
      ...(headers && {
        response(x, { fields }) {
          const told = x.slots[host.slot] as Told | undefined;
          if (told === undefined) return;
          append(fields, 'ratelimit-policy', told.policy);
          append(fields, 'ratelimit', told.state);
        },
      }),
      dispose: () => policies.close(),
    };
  },
});
