/** A registry whose answers a test gives by hand, and endpoints to give. */
import type {
  RegisteredEndpoint,
  Registry,
  RegistryListener,
  ServiceQuery,
} from '../../src/registry/registry.ts';

export interface HandRegistry extends Registry {
  /** Watches that are open now. */
  readonly watched: number;
  /** How often a watch was begun. */
  readonly asked: number;
  readonly last: ServiceQuery | null;
  says(list: readonly RegisteredEndpoint[]): void;
  fails(message: string): void;
}

/** Makes one that says nothing yet. */
export function createHandRegistry(): HandRegistry {
  const open = new Set<RegistryListener>();
  let asked = 0;
  let last: ServiceQuery | null = null;
  return {
    get watched() {
      return open.size;
    },
    get asked() {
      return asked;
    },
    get last() {
      return last;
    },
    watch(query, to) {
      asked++;
      last = query;
      open.add(to);
      return { close: () => void open.delete(to) };
    },
    says: (list) => {
      for (const to of [...open]) to.endpoints(list);
    },
    fails: (message) => {
      for (const to of [...open]) to.failed(new Error(message));
    },
    close: async () => open.clear(),
  };
}

/** Endpoints of 10.0.0.0/24 by their last number, each with weight 1 unless `number:weight` says otherwise. */
export function endpoints(...numbers: readonly (number | string)[]): RegisteredEndpoint[] {
  return numbers.map((each) => {
    const [number, weight = '1'] = String(each).split(':');
    return {
      id: `i-${number}`,
      scheme: 'http',
      host: `10.0.0.${number}`,
      port: 8080,
      weight: Number(weight),
      zone: null,
      metadata: {},
    };
  });
}

/** The other way round. */
export function numbersOf(list: readonly RegisteredEndpoint[]): string {
  return list
    .map(({ host, weight }) => `${host.split('.').at(-1)}${weight === 1 ? '' : `:${weight}`}`)
    .join(' ');
}
