/** A list of endpoints in one order, whatever the order of the registry, with a text to tell lists apart by. */
import { endpointName } from '../wire/endpoint.ts';
import type { RegisteredEndpoint } from './registry.ts';

export interface Arranged {
  readonly list: readonly RegisteredEndpoint[];
  /** Two lists that mean the same have the same. */
  readonly text: string;
}

const place = (endpoint: RegisteredEndpoint): string => `${endpoint.scheme}://${endpointName(endpoint)}`;

/** By address, then by name: gateways beside each other hash alike, and a reshuffled answer is no change. */
const byPlace = (a: RegisteredEndpoint, b: RegisteredEndpoint): number => {
  const [one, other] = [`${place(a)} ${a.id}`, `${place(b)} ${b.id}`];
  return one < other ? -1 : one > other ? 1 : 0;
};

const entriesOf = (metadata: RegisteredEndpoint['metadata']) =>
  Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));

/** Puts a list in order. */
export function arrange(endpoints: readonly RegisteredEndpoint[]): Arranged {
  const list = endpoints.toSorted(byPlace);
  const text = list.map((each) => [place(each), each.id, each.weight, each.zone, entriesOf(each.metadata)]);
  return { list, text: JSON.stringify(text) };
}

/**
 * Does an answer take away so much that the registry may rather have lost its memory? True where nothing is left,
 * or less than half of the endpoints that took requests. What was drained before it went counts as no loss.
 */
export function isLoss(before: Arranged, after: Arranged): boolean {
  const active = before.list.filter((endpoint) => endpoint.weight > 0).length;
  return active > 0 && after.list.length * 2 < active;
}

/** What was there, with what is new and what has changed: as long as nobody knows which of two answers is right. */
export function union(before: Arranged, after: Arranged): Arranged {
  const places = new Set(after.list.map(place));
  return arrange([...after.list, ...before.list.filter((endpoint) => !places.has(place(endpoint)))]);
}
