/** All routes that share one shape of path: the rest of the choice, by host, conditions and method. */
import type { RequestHead } from '../wire/heads.ts';
import { type Candidate, compareCandidates, conditionsHold } from './candidate.ts';
import { labelsFit } from './host.ts';

/** One search: what is looked for, and what was found on the way. A router has one and uses it again. */
export interface Search {
  head: RequestHead;
  /** As routes compare it; '' while no route has a host. */
  host: string;
  path: string;
  /** What the path needs a route to allow. */
  needs: number;
  /** The path has an empty segment, so parameters must be looked at. */
  empties: boolean;
  method: string;
  /** For a preflight: methods don't matter. */
  anyMethod: boolean;
  /** For a preflight: a route that serves OPTIONS itself will do. */
  orOptions: boolean;
  found: Candidate | null;
  /** Routes that fit but for their method, best first. */
  refused: Candidate[];
}

const methodFits = (candidate: Candidate, search: Search): boolean =>
  candidate.methods === null ||
  search.anyMethod ||
  candidate.methods.includes(search.method) ||
  (search.orOptions && candidate.methods.includes('OPTIONS'));

/** Hosts as a table, so that ten thousand of them cost what one does. */
class Tier {
  readonly #exact = new Map<string, Candidate[]>();
  /** By literal ending; parameters stand before wildcards. */
  readonly #endings = new Map<string, Candidate[]>();
  readonly #any: Candidate[] = [];

  constructor(candidates: readonly Candidate[]) {
    for (const candidate of candidates.toSorted(compareCandidates)) {
      const { kind, suffix } = candidate.host;
      if (kind === 'any') this.#any.push(candidate);
      else {
        const table = kind === 'exact' ? this.#exact : this.#endings;
        const list = table.get(suffix);
        if (list === undefined) table.set(suffix, [candidate]);
        else list.push(candidate);
      }
    }
  }

  choose(search: Search): boolean {
    if (this.#exact.size > 0) {
      const list = this.#exact.get(search.host);
      if (list !== undefined && this.#try(list, search)) return true;
    }
    if (this.#endings.size > 0 && this.#chooseEnding(search)) return true;
    return this.#try(this.#any, search);
  }

  /** Longest ending first: each dot further right is a shorter one; the empty one is last. */
  #chooseEnding(search: Search): boolean {
    const { host } = search;
    for (let dot = host.indexOf('.'); dot > 0; dot = host.indexOf('.', dot + 1)) {
      const list = this.#endings.get(host.slice(dot + 1));
      if (list !== undefined && this.#try(list, search)) return true;
    }
    const list = this.#endings.get('');
    return list !== undefined && this.#try(list, search);
  }

  #try(list: readonly Candidate[], search: Search): boolean {
    for (let at = 0; at < list.length; at++) {
      const candidate = list[at]!;
      if ((candidate.allow & search.needs) !== search.needs) continue;
      if (candidate.host.kind === 'parameters' && !labelsFit(candidate.host.labels, search.host.split('.')))
        continue;
      if (!conditionsHold(candidate, search.head)) continue;
      if (methodFits(candidate, search)) {
        search.found = candidate;
        return true;
      }
      search.refused.push(candidate);
    }
    return false;
  }
}

export class Group {
  readonly #tiers: readonly Tier[];
  readonly #parameterAt: readonly number[];

  /** @param exact the routes that end here  @param deep those that end in `/**` and reach here */
  constructor(exact: readonly Candidate[], deep: readonly Candidate[]) {
    this.#tiers = [exact, deep].filter((list) => list.length > 0).map((list) => new Tier(list));
    const segments = (exact[0] ?? deep[0])?.pattern.segments ?? [];
    this.#parameterAt = segments.flatMap((text, at) => (text === null ? [at] : []));
  }

  /** Puts the best route that fits into `search.found`; false where none does. */
  choose(search: Search): boolean {
    // The engine takes an empty segment for a parameter; `/orders/` is not `/orders/{id}`.
    if (search.empties && this.#parameterAt.length > 0) {
      const parts = search.path.split('/');
      if (this.#parameterAt.some((at) => parts[at + 1] === '')) return false;
    }
    for (let at = 0; at < this.#tiers.length; at++) if (this.#tiers[at]!.choose(search)) return true;
    return false;
  }
}
