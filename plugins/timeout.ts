/** Lets clients wait for as long as their plan says: it shortens the time that the route gives a request. */
import { compileWord, definePlugin, type Exchange, parseDuration, word, z } from 'snowgate/plugin';
import { duration } from './_limits/duration.ts';

const wait = duration('500ms or 10s');

const config = z
  .strictObject({
    limit: wait
      .optional()
      .describe('Longest wait for the response head, retries included; default: the `timeout` of the route.'),
    plan: word().optional().describe('The word that names the plan of a request, such as `principal.plan`.'),
    plans: z
      .record(z.string(), z.union([z.literal(false), wait]))
      .default({})
      .describe('Waits by plan, instead of `limit`; false: as long as the route allows.'),
  })
  .superRefine(({ limit, plan, plans }, context) => {
    const issue = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const hasPlans = Object.keys(plans).length > 0;
    if ((plan === undefined) === hasPlans) issue(['plans'], '`plan` and `plans` need each other');
    else if (limit === undefined && !hasPlans) issue([], 'needs a `limit`, or a `plan` with `plans`');
  });

/** What holds for a request. */
interface Wait {
  /** Infinity: only what the route says. */
  readonly limitMs: number;
  /** For people. */
  readonly text: string;
}

const UNLIMITED = { limitMs: Number.POSITIVE_INFINITY, text: 'as long as the route allows' };

const waitOf = (limit: string | false | undefined, of: string): Wait => {
  if (limit === undefined || limit === false) return { ...UNLIMITED, text: `${UNLIMITED.text}${of}` };
  return { limitMs: parseDuration(limit)!, text: `at most ${limit} until the response head${of}` };
};

const waitReader = ({ limit, plan, plans }: z.output<typeof config>): ((x: Exchange) => Wait) => {
  const base = waitOf(limit, '');
  if (plan === undefined) return () => base;
  const read = compileWord(plan);
  const byPlan = new Map(
    Object.entries(plans).map(([name, own]) => [name, waitOf(own, ` by the plan "${name}"`)]),
  );
  return (x) => byPlan.get(read(x) ?? '') ?? base;
};

export default definePlugin({
  name: 'timeout',
  summary: 'Shortens the time that a request may take, by the plan of its client.',
  config,
  setup(settings) {
    const waitFor = waitReader(settings);
    return {
      // Before whatever may keep a request waiting in `admit`, wherever it stands in the file.
      authorize: (x) => x.limitTime(waitFor(x).limitMs),
      explain: (x) => waitFor(x).text,
    };
  },
});
