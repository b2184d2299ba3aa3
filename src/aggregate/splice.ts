/** Puts a member into each element of a list within JSON; all the text around it stays as it is. */
import { eachElement, eachMember, type Range, rangeAt } from './json.ts';

export interface Spliced {
  readonly json: string;
  /** Elements that had such a member already; the new one took its place. */
  readonly replaced: number;
}

/** The map with the member; null for what is no map. */
const withMember = (map: string, name: string, value: string): { text: string; replaced: boolean } | null => {
  let old: Range | null = null;
  let count = 0;
  const isMap = eachMember(map, (each, from, to) => {
    count++;
    // Where it stands twice, the last one is the one that counts.
    if (each === name) old = { from, to };
  });
  if (!isMap) return null;
  const { from, to } = (old as Range | null) ?? { from: -1, to: -1 };
  if (from >= 0) return { text: `${map.slice(0, from)}${value}${map.slice(to)}`, replaced: true };
  const end = map.lastIndexOf('}');
  const member = `${count === 0 ? '' : ','}${JSON.stringify(name)}:${value}`;
  return { text: `${map.slice(0, end)}${member}${map.slice(end)}`, replaced: false };
};

/**
 * Gives each element of a list a member. Elements that are no maps, and those past the last value, stay without.
 * @param json checked by `jsonProblem`
 * @param steps where the list stands in it; where there is none, nothing is changed
 * @param values JSON, in the order of the elements
 */
export function spliceMembers(
  json: string,
  steps: readonly string[],
  { name, values }: { readonly name: string; readonly values: readonly string[] },
): Spliced {
  const range = rangeAt(json, steps);
  if (range === null) return { json, replaced: 0 };
  const list = json.slice(range.from, range.to);
  let text = json.slice(0, range.from);
  let replaced = 0;
  let at = 0;
  let copied = 0;
  eachElement(list, (from, to) => {
    const value = values[at++];
    const element = value === undefined ? null : withMember(list.slice(from, to), name, value);
    if (element === null) return;
    if (element.replaced) replaced++;
    text += list.slice(copied, from) + element.text;
    copied = to;
  });
  return { json: text + list.slice(copied) + json.slice(range.to), replaced };
}
