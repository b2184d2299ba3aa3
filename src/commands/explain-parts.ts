/** What `snowgate explain` shows of an aggregate: its parts in their order, with the paths that would be asked. */
import type { AggregatePart, EachElement } from '../config/aggregate-types.ts';
import { stagesOf } from '../config/part-order.ts';
import type { PlannedPart } from '../runtime/plan.ts';
import { partReference, templateText, wordsOf } from '../wire/template.ts';
import { compileValue, valueText, type WordSource } from '../wire/words.ts';
import { columns } from './terminal.ts';

/** A request that nobody sent, as far as it is known; without a credential nobody vouches for its claims. */
export interface Known {
  readonly source: WordSource;
  /** True when the plugins have seen a credential: what is missing then would be missing in earnest. */
  readonly judged: boolean;
}

const isOfCredential = (word: string) => /^(?:claims|principal)\b/.test(word);

const knownValue = (word: string, { source }: Known): string | undefined =>
  partReference(word) === null ? valueText(compileValue(word)(source)) : undefined;

/** Path and query with what is known put in; what is not keeps its braces. */
const filledPath = ({ target }: AggregatePart, known: Known): string =>
  templateText(target, (word) => {
    const value = knownValue(word, known);
    return value?.isWellFormed() ? encodeURIComponent(value) : null;
  });

/** Words that the request should have and has not. */
const missingOf = ({ target, headers }: AggregatePart, known: Known): string[] =>
  [target, ...Object.values(headers)]
    .flatMap(wordsOf)
    .filter((word) => partReference(word) === null && (known.judged || !isOfCredential(word)))
    .filter((word) => knownValue(word, known) === undefined);

const eachJson = ({ part, steps, most, concurrency }: EachElement) => ({
  of: ['parts', part, ...steps].join('.'),
  most,
  concurrency,
});

/** The parts of an aggregate as plain data. */
export function partsJson(parts: readonly PlannedPart[], known: Known) {
  const stages = stagesOf(parts.map(({ part }) => part));
  return parts.map(({ part, upstream, timeouts, hostHeader }) => ({
    name: part.name,
    stage: stages.findIndex((stage) => stage.includes(part.name)) + 1,
    needs: part.needs,
    optional: part.optional,
    upstream,
    method: part.method,
    template: templateText(part.target),
    path: filledPath(part, known),
    missing: missingOf(part, known),
    each: part.each === null ? null : eachJson(part.each),
    into: part.each?.member == null ? (part.into ?? '/') : `each.${part.each.member}`,
    hostHeader,
    timeoutMs: part.timeoutMs,
    timeouts,
  }));
}

export type ExplainedPart = ReturnType<typeof partsJson>[number];

const remarks = ({ each, optional, timeoutMs, missing }: ExplainedPart): string => {
  const said = optional ? ['optional'] : [];
  // What its elements are only the answer of the other part can tell.
  if (each !== null)
    said.unshift(`for each of ${each.of} (at most ${each.most}, ${each.concurrency} at a time)`);
  if (timeoutMs !== null) said.push(`within ${timeoutMs / 1000} s`);
  if (missing.length > 0) said.push(`fails: ${missing.join(' and ')} missing (GW_PART_INPUT)`);
  return said.join(', ');
};

/** One line a part, those that are asked first before the others. */
export function partLines(parts: readonly ExplainedPart[]): string[] {
  if (parts.length === 0) return [];
  const rows = parts
    .toSorted((a, b) => a.stage - b.stage)
    .map((part) => [
      `${part.stage}.`,
      part.name,
      `${part.method} ${part.upstream} ${part.path}`,
      remarks(part),
    ]);
  return ['  parts, in the order in which they are asked:', ...columns(rows, '    ').split('\n')];
}
