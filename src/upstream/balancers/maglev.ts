/** The look-up table of Maglev: which slot a hash belongs to, with few changes when the membership changes. */
import { hashText, mix32 } from '../../kernel/hash.ts';
import type { EndpointSpec } from '../../wire/endpoint.ts';
import { slotKey } from '../slot.ts';

/**
 * Entries of a table, a prime. Always the same, since another number would move nearly every key; even 10,000 slots
 * get six or seven each.
 */
export const TABLE_SIZE = 65_537;

/** How one slot goes through the table: a permutation of all places, by its name alone. */
interface Walk {
  readonly index: number;
  readonly share: number;
  readonly step: number;
  at: number;
  owed: number;
}

const walkOf = (spec: EndpointSpec, index: number, maxWeight: number): Walk & { readonly name: string } => {
  const name = slotKey(spec);
  const offset = hashText(name);
  return {
    name,
    index,
    share: spec.weight / maxWeight,
    step: (mix32(offset ^ 0x5bd1e995) % (TABLE_SIZE - 1)) + 1,
    at: offset % TABLE_SIZE,
    owed: 0,
  };
};

/**
 * Fills the table by the static weights (Eisenbud et al., Maglev, NSDI 2016, section 3.4; weights as in Envoy: slots
 * take turns, and one of half the weight takes every second turn). The same members give the same table in every
 * gateway, whatever their order.
 * @returns for each place an index into `specs`; null when none has weight
 */
export function maglevTable(specs: readonly EndpointSpec[]): Int32Array | null {
  const maxWeight = specs.reduce((max, spec) => Math.max(max, spec.weight), 0);
  if (maxWeight === 0) return null;
  const walks = specs
    .map((spec, index) => walkOf(spec, index, maxWeight))
    .filter((walk) => walk.share > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const table = new Int32Array(TABLE_SIZE).fill(-1);
  for (let filled = 0; ; ) {
    for (const walk of walks) {
      walk.owed += walk.share;
      if (walk.owed < 1) continue;
      walk.owed -= 1;
      // No `%`: towards the end most places are taken, and this is all that a build does.
      let { at } = walk;
      while (table[at] !== -1) {
        at += walk.step;
        if (at >= TABLE_SIZE) at -= TABLE_SIZE;
      }
      walk.at = at;
      table[at] = walk.index;
      if (++filled === TABLE_SIZE) return table;
    }
  }
}

/** The place of the table where a key belongs. */
export function placeOf(hash: number): number {
  return mix32(hash) % TABLE_SIZE;
}
