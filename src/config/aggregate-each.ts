/** Reads `each` of a part: the list that it is asked for, and what cannot come of it. */
import { type PartReference, partReference } from '../wire/template.ts';
import { WordError } from '../wire/words.ts';
import type { EachInput, PartInput } from './aggregate-schema.ts';
import type { AggregatePart, EachElement } from './aggregate-types.ts';
import type { TemplateReader } from './part-templates.ts';
import type { ShareScope } from './shares.ts';
import type { ConfigPath } from './types.ts';

const referenceOf = (word: string): PartReference | null => {
  try {
    return partReference(word);
  } catch (error) {
    if (error instanceof WordError) return null;
    throw error;
  }
};

/** The member of `into: each.NAME`; null for any other destination. */
const memberOf = (into: string | undefined): string | null => {
  if (into === undefined || !/^each\b/.test(into)) return null;
  const reference = referenceOf(into);
  return reference?.steps.length === 1 ? reference.steps[0]! : '';
};

/** What is said of one answer, and means nothing where there are several. */
const checkSense = (scope: ShareScope, input: PartInput, path: ConfigPath): void => {
  const { report } = scope;
  if (input.into === '/')
    report.on([...path, 'into'], {
      message: 'the answers to `each` are a list, which has no members to put beside the others',
      remedy: 'Write a name, or `each.NAME` to put each answer into its element.',
    });
  if (input.passStatus.length > 0)
    report.onKey([...path, 'passStatus'], {
      message: '`passStatus` is of one call, and `each` makes several',
      remedy: 'Delete it; `optional: true` answers without the elements that fail.',
    });
};

const checkWithout = (scope: ShareScope, { into }: PartInput, path: ConfigPath): void => {
  if (memberOf(into) === null) return;
  scope.report.on([...path, 'into'], {
    message: `${scope.report.show([...path, 'into'], into!)} is a member of an element, and the part has no \`each\``,
    remedy: 'Add `each: parts.NAME`, or write a name.',
  });
};

const readList = (scope: ShareScope, { of }: EachInput, path: ConfigPath): PartReference => {
  const reference = referenceOf(of);
  if (reference !== null && of.startsWith('parts')) return reference;
  scope.report.on(path, {
    message: 'this names no list of another part',
    remedy: 'Write parts.NAME, or parts.NAME.MEMBER.',
  });
  return { part: '', steps: [] };
};

/** Reads `each` of a part, null where it has none; its mistakes are reported. */
export function readEach(
  scope: ShareScope,
  input: PartInput,
  { path, reader }: { readonly path: ConfigPath; readonly reader: TemplateReader },
): EachElement | null {
  if (input.each === undefined) {
    checkWithout(scope, input, path);
    return null;
  }
  checkSense(scope, input, path);
  // In the short form this is `each` itself.
  const place = [...path, 'each', 'of'];
  const { part, steps } = readList(scope, input.each, place);
  if (part !== '') reader.needsPart(part, place);
  const member = memberOf(input.into);
  if (member === '')
    scope.report.on([...path, 'into'], {
      message: `${scope.report.show([...path, 'into'], input.into!)} is no member of an element`,
      remedy: 'Write each. and one name, as each.product.',
    });
  return { part, steps, most: input.each.most, concurrency: input.each.concurrency, member };
}

/** A list that is replaced by something else when its part fails takes the parts down that need it. */
const checkDefault = (
  scope: ShareScope,
  { optional, each, configPath }: AggregatePart,
  list: AggregatePart,
) => {
  if (optional || !list.optional) return;
  let found = JSON.parse(list.defaultJson) as unknown;
  for (const step of each!.steps)
    found =
      typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[step] : undefined;
  if (Array.isArray(found)) return;
  scope.report.warn([...configPath, 'each', 'of'], {
    message: `the default of "${list.name}" has no list there, so whenever that part fails this one fails too`,
    remedy:
      each!.steps.length === 0
        ? `Give "${list.name}" the default [].`
        : 'Put an empty list there, or make this part optional.',
  });
};

const isIndex = (step: string | undefined) => step !== undefined && /^\d+$/.test(step);

/** The members of the list's elements that are known to be there. */
const knownMembers = ({ pick, rename }: AggregatePart): string[] =>
  [...(pick ?? Object.keys(rename))].map((name) => rename[name] ?? name);

/** Checks the parts that put their answers into elements against the part whose elements these are. */
export function checkElements(scope: ShareScope, parts: readonly AggregatePart[]): void {
  const taken = new Map<string, string>();
  for (const part of parts) {
    const { name, each, configPath } = part;
    const list = parts.find((other) => other.name === each?.part);
    if (each === null || list === undefined) continue;
    checkDefault(scope, part, list);
    if (each.member === null) continue;
    const place = [...configPath, 'into'];
    const step = each.steps[isIndex(each.steps[0]) ? 1 : 0];
    if (step !== undefined && (list.drop.includes(step) || list.pick?.includes(step) === false))
      scope.report.onKey(place, {
        message: `"${list.name}" leaves ${scope.report.show(place, step)} out, into whose elements this part puts its answers`,
        remedy: `Let "${list.name}" keep it.`,
      });
    const ofElement = `${[each.part, ...each.steps].join('.')} ${each.member}`;
    const other =
      taken.get(ofElement) ??
      (each.steps.length === 0 && knownMembers(list).includes(each.member) ? list.name : undefined);
    taken.set(ofElement, name);
    if (other !== undefined)
      scope.report.onKey(place, {
        message: `"${name}" fills the same member of the elements as "${other}"`,
        remedy: 'Give one of them another name.',
      });
  }
}
