/** Requests in line for a place that gateways share: in their order, until one comes free here or in Redis. */
import type { Clock, Random } from 'snowgate/plugin';
import type { SharedPlaces } from './shared-places.ts';

/** How often Redis is asked for the first of a line: places that other gateways give back are noticed so late. */
const ASK_MS = 20;
const JITTER_MS = 20;

/** A request in line. */
interface Waiter {
  readonly limit: number;
  /** Takes the name of its place; null: none came free in time, or the client left. */
  readonly resolve: (member: string | null) => void;
  /** Redis is gone. */
  readonly reject: (error: Error) => void;
  readonly timer: { cancel(): void };
}

interface Queue {
  readonly waiters: Map<object, Waiter>;
  /** Another gateway has a line for the same places. */
  isContested: boolean;
}

export interface SharedLineParts {
  readonly places: SharedPlaces;
  /** Whether Redis can be asked about a key. */
  readonly up: (key: string) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Requests in line for one key, at most. */
  readonly most: number;
  readonly timeoutMs: number;
}

/** A key is known only while a request of it waits. */
export class SharedLine {
  readonly #parts: SharedLineParts;
  readonly #queues = new Map<string, Queue>();

  constructor(parts: SharedLineParts) {
    this.#parts = parts;
  }

  isEmpty(key: string): boolean {
    return !this.#queues.has(key);
  }

  /**
   * Waits for a place; gives its name, or null when the line is full, when none came free in time, or after `drop`.
   * @param who is told again to `drop`
   * @throws Error when Redis is gone meanwhile
   */
  join(who: object, key: string, limit: number): Promise<string | null> {
    const { clock, most, timeoutMs } = this.#parts;
    if ((this.#queues.get(key)?.waiters.size ?? 0) >= most) return Promise.resolve(null);
    const queue = this.#queueOf(key);
    return new Promise((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => this.drop(who, key));
      queue.waiters.set(who, { limit, resolve, reject, timer });
    });
  }

  /** Takes a request out that does not want a place any more, if it is in line. */
  drop(who: object, key: string): void {
    const waiter = this.#take(who, key);
    waiter?.resolve(null);
  }

  /**
   * Hands a place of this gateway to the first in line; false when nobody here waits, or others do too: then it goes
   * back to Redis, where each gateway has the same chance.
   */
  pass(key: string, member: string): boolean {
    const queue = this.#queues.get(key);
    return queue !== undefined && !queue.isContested && this.#serve(key, member);
  }

  #queueOf(key: string): Queue {
    let queue = this.#queues.get(key);
    if (queue !== undefined) return queue;
    queue = { waiters: new Map(), isContested: false };
    this.#queues.set(key, queue);
    this.#askLater(key, queue);
    return queue;
  }

  #take(who: object, key: string): Waiter | undefined {
    const waiters = this.#queues.get(key)?.waiters;
    const waiter = waiters?.get(who);
    if (waiter === undefined) return undefined;
    waiter.timer.cancel();
    waiters!.delete(who);
    if (waiters!.size === 0) this.#queues.delete(key);
    return waiter;
  }

  #serve(key: string, member: string): boolean {
    const [first] = this.#queues.get(key)?.waiters.keys() ?? [];
    if (first === undefined) return false;
    this.#take(first, key)!.resolve(member);
    return true;
  }

  /** One question at a time for each line, however long it is; with jitter, so that gateways take turns. */
  #askLater(key: string, queue: Queue): void {
    const { clock, random } = this.#parts;
    clock.after(ASK_MS + random.next() * JITTER_MS, () => {
      // The line may have ended, and another begun that has a timer of its own.
      if (this.#queues.get(key) === queue) this.#ask(key, queue);
    });
  }

  async #ask(key: string, queue: Queue): Promise<void> {
    const { places, up } = this.#parts;
    if (!up(key)) {
      this.#giveUp(key, queue);
      return;
    }
    const [first] = queue.waiters.values();
    // Why it failed is told once by the connection, which soon says whether Redis is gone.
    const answer = await places.enterFromLine(key, first!.limit).catch(() => null);
    queue.isContested = answer?.isContested === true;
    const member = answer?.member ?? null;
    if (member !== null && !this.#serve(key, member)) places.leave(key, member);
    if (this.#queues.get(key) !== queue) return;
    // Where one was free there may be more.
    if (member === null) this.#askLater(key, queue);
    else this.#ask(key, queue);
  }

  #giveUp(key: string, { waiters }: Queue): void {
    this.#queues.delete(key);
    for (const { timer, reject } of waiters.values()) {
      timer.cancel();
      reject(new Error('Redis is gone'));
    }
  }
}
