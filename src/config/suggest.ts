/** Finds the word that somebody probably meant. */

const flat = (word: string) => word.toLowerCase().replace(/[-_. ]/g, '');

/** Edits (insert, delete, replace, swap of neighbours) from one word to another, or `limit + 1` when more. */
export function editDistance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[to.length]!;
}

/** What the files of other gateways call our keys. */
const ELSEWHERE: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  backend: 'upstream',
  backends: 'upstreams',
  bind: 'listen',
  cluster: 'upstream',
  clusters: 'upstreams',
  endpoints: 'targets',
  filters: 'plugins',
  lb: 'balance',
  listeners: 'listen',
  loadbalancer: 'balance',
  middlewares: 'plugins',
  nodes: 'targets',
  port: 'listen',
  prefix: 'path',
  retries: 'retry',
  rules: 'routes',
  servers: 'targets',
  service: 'upstream',
  services: 'upstreams',
  uri: 'path',
  url: 'path',
  urls: 'targets',
});

/** The nearest of the known words when it is near enough, else null; case, `-` and `_` don't count. */
export function suggest(word: string, known: Iterable<string>): string | null {
  const wanted = flat(word).slice(0, 64);
  const other = ELSEWHERE[wanted];
  const limit = wanted.length <= 3 ? 1 : wanted.length <= 7 ? 2 : 3;
  let best: string | null = null;
  let bestCost = limit + 1;
  for (const candidate of known) {
    const cost = candidate === other ? 0.5 : editDistance(wanted, flat(candidate), limit);
    if (cost < bestCost) [best, bestCost] = [candidate, cost];
  }
  return best;
}

/** `Did you mean …?`, or the list of what there is when nothing is near and the list is short. */
export function meant(word: string, known: readonly string[]): string | null {
  const near = suggest(word, known);
  if (near !== null) return `Did you mean \`${near}\`?`;
  if (known.length === 0 || known.length > 24) return null;
  return `There ${known.length === 1 ? 'is' : 'are'}: ${known.join(', ')}.`;
}
