/** Puts our own numbers into a prom-client registry, read only when somebody scrapes. */
import type { Gauge, Registry } from 'prom-client';
import type { Family } from './families.ts';
import { BOUNDS_MS, type DurationBuckets, type Labels } from './meters.ts';

/** One line of a scrape, in the form that prom-client prints. */
interface Sample {
  readonly metricName?: string;
  readonly labels: Labels;
  /** prom-client keeps the text of these, as long as it is the same object each time. */
  readonly sharedLabels: Labels;
  readonly value: number;
}

/** Given to a family's reader: adds one value, or one histogram, under its labels. */
export interface Emit {
  value(labels: Labels, value: number): void;
  buckets(labels: Labels, buckets: DurationBuckets): void;
}

const NONE: Labels = {};
const BOUND_LABELS: readonly Labels[] = [...BOUNDS_MS.map((ms) => String(ms / 1000)), '+Inf'].map((le) => ({
  le,
}));

class Samples implements Emit {
  readonly #name: string;
  readonly list: Sample[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  value(labels: Labels, value: number): void {
    this.list.push({ labels: NONE, sharedLabels: labels, value });
  }

  buckets(labels: Labels, buckets: DurationBuckets): void {
    const metricName = `${this.#name}_bucket`;
    let count = 0;
    for (let at = 0; at < buckets.counts.length; at++) {
      count += buckets.counts[at]!;
      this.list.push({ metricName, labels: BOUND_LABELS[at]!, sharedLabels: labels, value: count });
    }
    const sum = buckets.sumMs / 1000;
    this.list.push({ metricName: `${this.#name}_sum`, labels: NONE, sharedLabels: labels, value: sum });
    this.list.push({ metricName: `${this.#name}_count`, labels: NONE, sharedLabels: labels, value: count });
  }
}

/**
 * Registers a family whose values are read by `read` at each scrape.
 * prom-client's own classes hash the labels at every `set`; this hands the registry finished samples instead.
 */
export function registerFamily(registry: Registry, family: Family, read: (emit: Emit) => void): void {
  const collect = () => {
    const samples = new Samples(family.name);
    read(samples);
    return samples.list;
  };
  const { name, help, type } = family;
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    reset() {},
    getForPromString: async () => ({ name, help, type, aggregator: 'sum', values: collect() }),
    get: async () => ({
      name,
      help,
      type,
      aggregator: 'sum',
      values: collect().map(({ labels, sharedLabels, value, metricName }) => ({
        labels: { ...sharedLabels, ...labels },
        value,
        ...(metricName === undefined ? {} : { metricName }),
      })),
    }),
  };
  // The registry asks a metric for no more than this; its type names the built-in classes only.
  registry.registerMetric(metric as unknown as Gauge);
}
