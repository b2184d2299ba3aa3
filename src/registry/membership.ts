/** The endpoints of one service as the gateway uses them: what the registry says, minus its bad moments. */
import { isReachable } from '../config/addresses.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { PluginLogger } from '../plugin.ts';
import { type Arranged, arrange, isLoss, union } from './arranged.ts';
import type {
  RegisteredEndpoint,
  Registry,
  RegistryListener,
  RegistryWatch,
  ServiceQuery,
} from './registry.ts';
import type { Snapshots } from './snapshots.ts';

/** A deployment changes several endpoints within a moment; pickers are built once for all of them. */
const QUIET_MS = 100;
/** By then a change is in use, even if it never gets quiet. */
const AT_LAST_MS = 500;
/** A list that shrinks and never stays the same is believed after so many times `confirmMs`. */
const MAX_ROUNDS = 4;
/** More than any service has; a registry that says more is ill. */
const MAX_ENDPOINTS = 10_000;

export interface MembershipParts {
  readonly registry: Registry;
  readonly query: ServiceQuery;
  readonly clock: Clock;
  readonly log: PluginLogger;
  /** How long an answer that takes away much must stay the same before it is believed; 0: not at all. */
  readonly confirmMs: number;
  /** What was known before the process started; null: nothing is kept. */
  readonly snapshots: Snapshots | null;
}

const isSound = ({ host, port, weight }: RegisteredEndpoint): boolean =>
  isReachable(host, port) && Number.isFinite(weight) && weight >= 0;

/** What is known of a service, and how well. */
export interface MembershipState {
  /** What is in use. */
  readonly endpoints: readonly RegisteredEndpoint[];
  /** Where that comes from; `nothing` as long as there was neither an answer nor a snapshot. */
  readonly from: 'registry' | 'snapshot' | 'nothing';
  /** When the last good answer came, as wall time; of a snapshot, when it was written; null: never. */
  readonly answeredMs: number | null;
  /** How old the last good answer is, while the registry fails; 0 while it is well. */
  readonly ageMs: number;
  /** Why the last try failed; null while the registry is well. */
  readonly failure: string | null;
  /** Failed tries ever. */
  readonly failures: number;
  /** How many endpoints an answer holds that is not believed yet; null: there is none such. */
  readonly doubted: number | null;
}

/** An answer that takes away much, waiting to be confirmed. */
interface Doubt {
  readonly answer: Arranged;
  readonly firstMs: number;
  /** The registry has been asked again since. */
  asked: boolean;
  readonly timer: Timer;
}

export class Membership {
  readonly #parts: MembershipParts;
  readonly #followers = new Set<() => void>();
  readonly #ready = Promise.withResolvers<void>();
  #watch: RegistryWatch | null = null;
  #from: MembershipState['from'] = 'nothing';
  /** The last answer that was taken for true. */
  #believed: Arranged = arrange([]);
  /** What followers are told: the believed answer, and what a doubted one adds. */
  #used: Arranged = this.#believed;
  /** What they will be told next. */
  #next: Arranged = this.#believed;
  #doubt: Doubt | null = null;
  #settling: { readonly firstMs: number; readonly timer: Timer } | null = null;
  #answeredMs: number | null = null;
  /** Monotonic; where there was no answer yet, the start. */
  #wellMs: number;
  #failure: string | null = null;
  #failures = 0;
  /** The last instance that was passed over. */
  #wrong: string | null = null;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.#wellMs = parts.clock.nowMs();
  }

  /** Takes what the snapshot has, then asks the registry; the first answer or failure resolves `ready`. */
  async open(): Promise<this> {
    const { snapshots, query, clock } = this.#parts;
    const kept = (await snapshots?.read(query)) ?? null;
    if (kept !== null) {
      this.#believed = this.#used = arrange(kept.endpoints);
      this.#from = 'snapshot';
      this.#answeredMs = kept.takenMs;
      this.#wellMs = clock.nowMs() - Math.max(0, clock.wallMs() - kept.takenMs);
    }
    this.#ask();
    return this;
  }

  /** Fulfilled as soon as the registry has said anything, good or bad. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get endpoints(): readonly RegisteredEndpoint[] {
    return this.#used.list;
  }

  state(): MembershipState {
    return {
      endpoints: this.#used.list,
      from: this.#from,
      answeredMs: this.#answeredMs,
      ageMs: this.#failure === null ? 0 : this.#parts.clock.nowMs() - this.#wellMs,
      failure: this.#failure,
      failures: this.#failures,
      doubted: this.#doubt?.answer.list.length ?? null,
    };
  }

  /** Calls after each change of `endpoints`, until the function it gives is called. */
  follow(changed: () => void): () => void {
    this.#followers.add(changed);
    return () => void this.#followers.delete(changed);
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#forgetDoubt();
    this.#settling?.timer.cancel();
    this.#followers.clear();
    this.#ready.resolve();
    await this.#parts.snapshots?.flush(this.#parts.query);
  }

  /** Asks the registry, anew where it was asked before: a fresh watch begins with a fresh answer. */
  #ask(): void {
    const before = this.#watch;
    const told: RegistryListener = {
      endpoints: (list) => this.#answered(list),
      failed: (error) => this.#failedBy(error),
    };
    this.#watch = this.#parts.registry.watch(this.#parts.query, told);
    before?.close();
  }

  #answered(list: readonly RegisteredEndpoint[]): void {
    if (list.length > MAX_ENDPOINTS) {
      this.#failedBy(new Error(`the answer has ${list.length} endpoints, more than ${MAX_ENDPOINTS}`));
      return;
    }
    const sound = list.filter(isSound);
    const [wrong] = list.filter((endpoint) => !isSound(endpoint));
    this.#well();
    this.#tellWrong(wrong ?? null);
    this.#judge(arrange(sound));
    this.#ready.resolve();
  }

  /** One instance without a proper address takes nothing away from the others. */
  #tellWrong(endpoint: RegisteredEndpoint | null): void {
    const text = endpoint === null ? null : `${endpoint.id} ${endpoint.host}:${endpoint.port}`;
    if (text !== null && text !== this.#wrong)
      this.#parts.log.warn('an instance cannot be used: it has no proper address, or a weight below 0', {
        service: this.#parts.query.service,
        instance: text.slice(0, 200),
      });
    this.#wrong = text;
  }

  #failedBy(error: Error): void {
    const { log, query } = this.#parts;
    this.#failures++;
    const meanwhile = this.#from === 'nothing' ? 'nothing is known yet' : 'what it said last stays in use';
    if (this.#failure === null)
      log.warn(`the registry fails; ${meanwhile}`, {
        service: query.service,
        endpoints: this.#used.list.length,
        from: this.#from,
        error: error.message,
      });
    this.#failure = error.message;
    this.#ready.resolve();
  }

  #well(): void {
    const { clock, log, query } = this.#parts;
    if (this.#failure !== null) log.info('the registry answers again', { service: query.service });
    this.#failure = null;
    this.#wellMs = clock.nowMs();
    this.#answeredMs = clock.wallMs();
  }

  #judge(answer: Arranged): void {
    if (this.#from !== 'nothing' && this.#isDoubtful(answer)) {
      this.#doubts(answer);
      return;
    }
    this.#forgetDoubt();
    this.#believe(answer);
  }

  #isDoubtful(answer: Arranged): boolean {
    if (this.#parts.confirmMs === 0 || !isLoss(this.#believed, answer)) return false;
    return !(this.#doubt?.asked === true && this.#doubt.answer.text === answer.text);
  }

  #doubts(answer: Arranged): void {
    const { clock, confirmMs, log, query } = this.#parts;
    if (this.#doubt?.answer.text === answer.text) return;
    const firstMs = this.#doubt?.firstMs ?? clock.nowMs();
    if (clock.nowMs() - firstMs >= confirmMs * MAX_ROUNDS) {
      this.#forgetDoubt();
      this.#believe(answer);
      return;
    }
    if (this.#doubt === null)
      log.warn(
        'the registry takes away much at once; what it said before stays in use until it says so again',
        {
          service: query.service,
          before: this.#believed.list.length,
          now: answer.list.length,
          confirmMs,
        },
      );
    this.#doubt?.timer.cancel();
    const timer = clock.after(confirmMs, () => {
      this.#doubt!.asked = true;
      this.#ask();
    });
    this.#doubt = { answer, firstMs, asked: false, timer };
    this.#use(union(this.#believed, answer), this.#from !== 'registry');
  }

  #forgetDoubt(): void {
    this.#doubt?.timer.cancel();
    this.#doubt = null;
  }

  #believe(answer: Arranged): void {
    const { snapshots, query, clock } = this.#parts;
    const first = this.#from !== 'registry';
    this.#from = 'registry';
    if (answer.text !== this.#believed.text || first)
      snapshots?.write(query, { endpoints: answer.list, takenMs: clock.wallMs() });
    this.#believed = answer;
    this.#use(answer, first);
  }

  /** Puts a list in use: the first one at once, changes when they have been quiet for a moment. */
  #use(list: Arranged, first: boolean): void {
    const { clock } = this.#parts;
    if (list.text === this.#used.text && this.#settling === null) return;
    this.#next = list;
    if (first) {
      this.#settle();
      return;
    }
    const now = clock.nowMs();
    const firstMs = this.#settling?.firstMs ?? now;
    this.#settling?.timer.cancel();
    const delayMs = Math.min(QUIET_MS, Math.max(0, firstMs + AT_LAST_MS - now));
    this.#settling = { firstMs, timer: clock.after(delayMs, () => this.#settle()) };
  }

  #settle(): void {
    this.#settling = null;
    const before = this.#used;
    this.#used = this.#next;
    if (before.text === this.#used.text) return;
    const { log, query } = this.#parts;
    log[before.list.length === 0 ? 'debug' : 'info']('the endpoints of a service have changed', {
      service: query.service,
      before: before.list.length,
      now: this.#used.list.length,
    });
    for (const changed of this.#followers) changed();
  }
}
