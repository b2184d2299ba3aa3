/** Puts the answers of all parts together, as text: beside each other, and into the elements of each other's lists. */
import { elementsOf, joinMembers, membersOf } from './json.ts';
import type { PartRun } from './part-run.ts';
import { spliceMembers } from './splice.ts';

export interface Whole {
  readonly json: string;
  /** Members that two parts gave; the later one won. */
  readonly conflicts: number;
}

const isGuestOf = (run: PartRun, host: PartRun): boolean => {
  const { each } = run.options.part;
  return each !== null && each.member !== null && each.part === host.options.part.name;
};

/** Joins what the parts gave, in the file's order. */
export function joinParts(runs: readonly PartRun[]): Whole {
  let conflicts = 0;

  /** What a part gave, with what others put into its elements; they may have taken in others themselves. */
  const fullValue = (host: PartRun): string => {
    let json = host.value;
    for (const guest of runs.filter((run) => isGuestOf(run, host))) {
      const each = guest.options.part.each!;
      const values = elementsOf(fullValue(guest))!;
      const spliced = spliceMembers(json, host.placeOf(each.steps), { name: each.member!, values });
      conflicts += spliced.replaced;
      json = spliced.json;
    }
    return json;
  };

  const whole = new Map<string, string>();
  const put = (name: string, json: string) => {
    if (whole.has(name)) conflicts++;
    whole.set(name, json);
  };
  for (const run of runs) {
    const { into, each } = run.options.part;
    if (each !== null && each.member !== null) continue;
    const json = fullValue(run);
    if (into !== null) put(into, json);
    // A default that is no map adds nothing beside the others.
    else for (const [name, member] of membersOf(json) ?? []) put(name, member);
  }
  return { json: joinMembers(whole), conflicts };
}
