/** The order of an aggregate's parts: which can run side by side, and who waits for whom in a circle. */

export interface Needing {
  readonly name: string;
  /** Names of the parts that must have answered before. */
  readonly needs: readonly string[];
}

/** The names in stages, each stage needing only earlier ones; parts in a circle are in none. */
export function stagesOf(parts: readonly Needing[]): string[][] {
  const stages: string[][] = [];
  const placed = new Set<string>();
  for (let rest = parts; rest.length > 0; ) {
    const ready = rest.filter((part) => part.needs.every((name) => placed.has(name)));
    if (ready.length === 0) break;
    for (const { name } of ready) placed.add(name);
    stages.push(ready.map(({ name }) => name));
    rest = rest.filter((part) => !ready.includes(part));
  }
  return stages;
}

/** One circle of parts that wait for each other, its first name again at the end; null where there is none. */
export function circleOf(parts: readonly Needing[]): string[] | null {
  const placed = new Set(stagesOf(parts).flat());
  const stuck = new Map(parts.filter(({ name }) => !placed.has(name)).map((part) => [part.name, part]));
  const trail: string[] = [];
  // Whoever is stuck needs somebody who is stuck: going on, a name must come again.
  for (let part = stuck.values().next().value; part !== undefined; ) {
    const before = trail.indexOf(part.name);
    if (before >= 0) return [...trail.slice(before), part.name];
    trail.push(part.name);
    part = stuck.get(part.needs.find((name) => stuck.has(name)) ?? '');
  }
  return null;
}
