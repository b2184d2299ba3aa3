/** Rules about who may do what: conditions that must all hold, in words of the file or as an expression. */
import { compileValue, type Exchange, z } from 'snowgate/plugin';
import { type Condition, compileExpression } from './expression.ts';
import { claimPath, wordOf } from './forward.ts';
import { compileRanges, ranges } from './ranges.ts';

const expression = z.string().superRefine((text, context) => {
  try {
    compileExpression(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
});

const value = z.union([z.string(), z.number(), z.boolean()]);
/** RFC 6749 section 3.3. */
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be a scope: text without spaces and quotes');

const rule = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$/, 'must be a short name')
      .optional()
      .describe('How the log and the metrics call it.'),
    methods: z
      .array(z.string().regex(/^[A-Z][A-Z-]*$/, 'must be a method such as GET'))
      .min(1)
      .optional()
      .describe('One of these methods.'),
    scopes: z.array(scope).min(1).optional().describe('All of these scopes.'),
    claims: z
      .record(claimPath, z.union([value, z.array(value).min(1)]))
      .optional()
      .describe('Claims with this value, or one of these; of a claim that is a list one entry is enough.'),
    from: ranges.min(1).optional().describe("The client's address is in one of these ranges."),
    when: expression.optional().describe('An expression (CEL) that is true.'),
  })
  .refine(
    ({ name: _, ...conditions }) => Object.values(conditions).some((one) => one !== undefined),
    'needs a condition: methods, scopes, claims, from or when',
  );

/** One rule: a map of conditions, or an expression alone. */
export const ruleSchema = z.union([expression, rule]);

export type RuleConfig = z.output<typeof ruleSchema>;

export interface Rule {
  readonly name: string;
  /** Scopes that all must be there; null when it asks for none. */
  readonly scopes: readonly string[] | null;
  /** Everything but the scopes. */
  readonly others: readonly Condition[];
}

const hasClaim = (path: string, wanted: ReadonlySet<unknown>): Condition => {
  const read = compileValue(wordOf(path));
  return (x) => {
    const found = read(x);
    return Array.isArray(found) ? found.some((one) => wanted.has(one)) : wanted.has(found);
  };
};

/** Compiles a rule; without a name of its own it is called by its place. */
export function compileRule(config: RuleConfig, kind: 'allow' | 'deny', at: number): Rule {
  const given = typeof config === 'string' ? { when: config } : config;
  const { methods, claims = {}, from, when } = given;
  const others: Condition[] = [];
  if (methods !== undefined) {
    const wanted = new Set(methods);
    others.push((x) => wanted.has(x.received.method));
  }
  if (from !== undefined) {
    const isIn = compileRanges(from);
    others.push((x) => isIn(x.client.address) === true);
  }
  for (const [path, wanted] of Object.entries(claims))
    others.push(hasClaim(path, new Set<unknown>([wanted].flat())));
  if (when !== undefined) others.push(compileExpression(when));
  return { name: given.name ?? `${kind} ${at + 1}`, scopes: given.scopes ?? null, others };
}

/** Whether all conditions but the scopes hold; null when one that has no answer keeps it open. */
export function othersHold({ others }: Rule, x: Exchange): boolean | null {
  let all: boolean | null = true;
  for (const holds of others) {
    const one = holds(x);
    if (one === false) return false;
    if (one === null) all = null;
  }
  return all;
}

/** Whether the principal has all scopes that the rule asks for. */
export const scopesHold = ({ scopes }: Rule, x: Exchange): boolean => {
  if (scopes === null) return true;
  const have = x.principal?.scopes ?? [];
  return scopes.every((scope) => have.includes(scope));
};
