/** Counters of plugins: one family a name, one instance label, and a bound on the series of each. */
import type { Registry } from 'prom-client';
import type { PluginCounter } from '../plugin.ts';
import { registerFamily } from './collected.ts';
import { OTHER } from './labels.ts';
import type { Cell, Labels } from './meters.ts';

/** Most sets of label values that one instance's counter may have; the rest is counted as `_OTHER`. */
export const SERIES_LIMIT = 100;

export interface PluginCounters {
  /**
   * The counter `snowgate_plugin_<name>_total` of one plugin instance, the same one each time.
   * @throws Error for a name or label that Prometheus does not allow, or that another instance declared otherwise
   */
  get(instance: string, spec: CounterSpec): PluginCounter;
  /** Forgets the counters of instances that are gone. */
  retain(instances: ReadonlySet<string>): void;
}

export interface CounterSpec {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

interface PluginFamily {
  readonly spec: CounterSpec;
  readonly instances: Map<string, BoundedCounter>;
}

const NAME = /^[a-z][a-z0-9_]*$/;

class BoundedCounter implements PluginCounter {
  readonly #instance: string;
  readonly #names: readonly string[];
  readonly cells = new Map<string, Cell>();

  constructor(instance: string, names: readonly string[]) {
    this.#instance = instance;
    this.#names = names;
    // A counter without labels starts at 0, so that its first increase is seen as one.
    if (names.length === 0) this.cells.set('', { labels: { instance }, count: 0 });
  }

  add(count = 1, labels?: Labels): void {
    if (!(count >= 0)) return;
    const values = this.#names.map((name) => labels?.[name] ?? '');
    const key = values.join('\u0000');
    const cell = this.cells.get(key) ?? this.#open(key, values);
    cell.count += count;
  }

  #open(key: string, values: readonly string[]): Cell {
    if (this.cells.size >= SERIES_LIMIT) {
      const others = this.#names.map(() => OTHER);
      const otherKey = others.join('\u0000');
      return this.cells.get(otherKey) ?? this.#keep(otherKey, others);
    }
    return this.#keep(key, values);
  }

  #keep(key: string, values: readonly string[]): Cell {
    const named = this.#names.map((name, at) => [name, values[at]!]);
    const cell = { labels: { instance: this.#instance, ...Object.fromEntries(named) }, count: 0 };
    this.cells.set(key, cell);
    return cell;
  }
}

/** Makes the counters of all plugins over one registry. */
export function createPluginCounters(registry: Registry): PluginCounters {
  const families = new Map<string, PluginFamily>();

  const declare = (spec: CounterSpec): PluginFamily => {
    for (const name of [spec.name, ...spec.labels]) {
      if (!NAME.test(name))
        throw new Error(`"${name}" is no name for a counter or label: use a-z, 0-9 and _`);
    }
    if (spec.labels.includes('instance')) throw new Error('the label "instance" is set by the gateway');
    const full = `snowgate_plugin_${spec.name.replace(/_total$/, '')}_total`;
    const known = families.get(full);
    if (known !== undefined) {
      if (known.spec.labels.join() === spec.labels.join()) return known;
      throw new Error(`counter ${full} exists with the labels [${known.spec.labels.join(', ')}]`);
    }
    const own: PluginFamily = { spec, instances: new Map() };
    families.set(full, own);
    const help = spec.help === '' ? 'Counted by a plugin.' : spec.help;
    const labels = ['instance', ...spec.labels];
    registerFamily(registry, { name: full, type: 'counter', labels, help }, (emit) => {
      for (const counter of own.instances.values()) {
        for (const cell of counter.cells.values()) emit.value(cell.labels, cell.count);
      }
    });
    return own;
  };

  return {
    get(instance, spec) {
      const own = declare(spec);
      let counter = own.instances.get(instance);
      if (counter === undefined) {
        counter = new BoundedCounter(instance, spec.labels);
        own.instances.set(instance, counter);
      }
      return counter;
    },
    retain(instances) {
      for (const [full, own] of families) {
        for (const instance of own.instances.keys()) {
          if (!instances.has(instance)) own.instances.delete(instance);
        }
        if (own.instances.size > 0) continue;
        families.delete(full);
        registry.removeSingleMetric(full);
      }
    },
  };
}
