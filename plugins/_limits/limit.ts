/** One limit at work: its windows and their buckets, in this process or in Redis, and what holds while Redis is gone. */
import type { Clock, Host, Lease, RedisLink } from 'snowgate/plugin';
import { Leases } from './leases.ts';
import { RedisLimiter } from './redis-limiter.ts';
import { ExactSource, type TokenSource } from './source.ts';
import { createStore, type Store } from './store.ts';
import { type Decision, divided, EPOCH_MS, type State, take, type Window } from './windows.ts';

export type OnStoreFailure = 'local' | 'open' | 'closed';

/** Where a decision was made; `open` and `closed`: nowhere, since Redis is gone. */
export type Where = 'memory' | 'redis' | OnStoreFailure;

/** What was decided, where, and by which windows: those of the limit, or this gateway's part of them. */
export interface Ruling {
  /** Void after the settlement; null where none was made. */
  readonly decision: Decision | null;
  readonly where: Where;
  readonly windows: readonly Window[];
}

export type Settle<R> = (ruling: Ruling) => R;

export interface LimitSettings {
  /** Of the instance and plan: whoever has the same name shares the buckets. */
  readonly name: string;
  readonly windows: readonly Window[];
  readonly cost: number;
  readonly sync: 'exact' | 'leased';
  readonly onStoreFailure: OnStoreFailure;
  /** Buckets in this process, at most. */
  readonly keys: number;
}

const openSource = (link: RedisLink, settings: LimitSettings, clock: Clock): TokenSource => {
  const limiter = new RedisLimiter(link, settings.windows);
  if (settings.sync === 'exact') return new ExactSource(link, limiter, settings.cost);
  return new Leases({ link, limiter, clock, ...settings });
};

export class Limit {
  readonly windows: readonly Window[];
  readonly #settings: LimitSettings;
  readonly #host: Host;
  readonly #lease: Lease<Store<State>>;
  /** Null without Redis. */
  readonly #source: TokenSource | null;
  readonly #prefix: string;
  readonly #now = { steadyUs: 0, wallUs: 0 };
  readonly #readsWall: boolean;
  #part: { readonly nodes: number; readonly windows: readonly Window[] };

  private constructor(settings: LimitSettings, host: Host, lease: Lease<Store<State>>) {
    const { windows } = settings;
    this.windows = windows;
    this.#settings = settings;
    this.#host = host;
    this.#lease = lease;
    this.#source = host.redis && openSource(host.redis, settings, host.clock);
    this.#prefix = host.redis === null ? '' : `${host.redis.prefix}:limit:${settings.name}:`;
    this.#readsWall = windows.some((window) => window.kind !== 'bucket');
    this.#part = { nodes: 1, windows };
  }

  /** Its buckets outlive it as long as another of the same name is there. */
  static async open(settings: LimitSettings, host: Host): Promise<Limit> {
    const open = () => createStore<State>(settings.keys, () => []);
    return new Limit(settings, host, await host.shared(settings.name, open));
  }

  /** Takes the tokens of one request; synchronous unless Redis is asked. */
  decide<R>(key: string, settle: Settle<R>): R | Promise<R> {
    const { windows } = this;
    if (this.#source === null) {
      const decision = this.#takeHere(windows, key, this.#settings.cost);
      return settle({ decision, where: 'memory', windows });
    }
    const answer = this.#source.take(`${this.#prefix}{${key}}`);
    if (answer === null) return this.#without(key, settle);
    if (!(answer instanceof Promise)) return this.#pass(key, answer, settle);
    return answer.then(
      (decision) => this.#pass(key, decision, settle),
      // Why is told once by the connection, which sees every failure.
      () => this.#without(key, settle),
    );
  }

  close(): void {
    this.#source?.close();
    this.#lease.release();
  }

  #pass<R>(key: string, decision: Decision, settle: Settle<R>): R {
    const { onStoreFailure } = this.#settings;
    const answer = settle({ decision, where: 'redis', windows: this.windows });
    // What passed by Redis is taken here too, so that no change to `local` begins with a full bucket.
    if (decision.granted > 0 && onStoreFailure === 'local') this.#takeHere(this.#windowsOfPart(), key, 0);
    return answer;
  }

  #without<R>(key: string, settle: Settle<R>): R {
    const { onStoreFailure } = this.#settings;
    if (onStoreFailure !== 'local')
      return settle({ decision: null, where: onStoreFailure, windows: this.windows });
    const windows = this.#windowsOfPart();
    const decision = this.#takeHere(windows, key, this.#settings.cost);
    return settle({ decision, where: 'local', windows });
  }

  #windowsOfPart(): readonly Window[] {
    const { nodes } = this.#host.redis!;
    const { cost } = this.#settings;
    if (nodes !== this.#part.nodes)
      this.#part = { nodes, windows: this.windows.map((window) => divided(window, nodes, cost)) };
    return this.#part.windows;
  }

  /** @param least fewer are refused; 0: what there is */
  #takeHere(windows: readonly Window[], key: string, least: number): Decision {
    const { clock } = this.#host;
    const now = this.#now;
    now.steadyUs = Math.floor(clock.nowMs() * 1000);
    if (this.#readsWall) now.wallUs = (clock.wallMs() - EPOCH_MS) * 1000;
    return take(windows, this.#lease.value.of(key), now, [this.#settings.cost, least]);
  }
}
