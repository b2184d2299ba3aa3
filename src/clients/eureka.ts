/** Eureka's REST API (github.com/Netflix/eureka/wiki/Eureka-REST-operations): one copy of it for all who look at it. */
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { createBackoff, pause } from './backoff.ts';
import { EurekaCopy, type EurekaInstance, eurekaAnswer } from './eureka-copy.ts';
import { type ApiAnswer, type ApiTls, expectStatus, HttpApi, readJson } from './http-api.ts';
import { createServerList, type ServerList } from './server-list.ts';

export interface EurekaOptions {
  /** URLs up to and with `/eureka`, at least one; a user and password may stand in them. */
  readonly addresses: readonly string[];
  readonly tls: ApiTls | null;
  /** Between two looks. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface EurekaFollower {
  /** After each look that went well. May throw for what it can't use, which has then failed. */
  updated(instances: readonly EurekaInstance[]): void;
  failed(error: Error): void;
}

interface Following {
  readonly app: string;
  readonly to: EurekaFollower;
}

/** A registry of 20,000 instances takes some 30 MB. */
const MOST_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = 500;

export class EurekaClient {
  readonly #o: EurekaOptions;
  readonly #api: HttpApi;
  readonly #servers: ServerList;
  readonly #end = new AbortController();
  readonly #following = new Set<Following>();
  /** Null until the first look went well. */
  #copy: EurekaCopy | null = null;
  #looking = new AbortController();

  constructor(options: EurekaOptions) {
    this.#o = options;
    this.#api = new HttpApi({ clock: options.clock, tls: options.tls, mostBytes: MOST_BYTES });
    this.#servers = createServerList(options.addresses);
    this.#looking.abort();
  }

  /** Follows an application; the server is looked at as long as anybody follows. */
  follow(app: string, to: EurekaFollower): { close(): void } {
    const entry = { app, to };
    this.#following.add(entry);
    if (this.#looking.signal.aborted) this.#begin();
    else if (this.#copy !== null) this.#o.clock.after(0, () => this.#tell(entry));
    return {
      close: () => {
        this.#following.delete(entry);
        if (this.#following.size === 0) this.#looking.abort(new Error('nobody looks any more'));
      },
    };
  }

  /**
   * Changes something at the first server that answers.
   * @returns false when it knows no such thing
   * @throws Error for every other answer than success
   */
  async call(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<boolean> {
    const answer = await this.#send(method, path, this.#end.signal, body);
    expectStatus(answer, 200, 204, 404);
    return answer.status !== 404;
  }

  /** Ends all that follows, and the connections. */
  close(): Promise<void> {
    this.#following.clear();
    this.#end.abort(new Error('Eureka is no longer needed'));
    return this.#api.close();
  }

  #begin(): void {
    this.#looking = new AbortController();
    this.#copy = null;
    void this.#look(AbortSignal.any([this.#looking.signal, this.#end.signal]));
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, random, intervalMs } = this.#o;
    const backoff = createBackoff(random, FIRST_RETRY_MS, intervalMs);
    while (!signal.aborted) {
      try {
        await this.#refresh(signal);
        if (signal.aborted) return;
        backoff.reset();
        for (const entry of this.#following) this.#tell(entry);
        // Spread, so that many gateways do not ask at once.
        await pause(clock, intervalMs * (0.9 + 0.2 * random.next()), signal);
      } catch (error) {
        if (signal.aborted) return;
        for (const { to } of this.#following) to.failed(error as Error);
        await pause(clock, backoff.nextMs(), signal);
      }
    }
  }

  /** By what has changed, where that is enough. */
  async #refresh(signal: AbortSignal): Promise<void> {
    if (this.#copy !== null) {
      const delta = await this.#send('GET', '/apps/delta', signal);
      // A server may be set to give none.
      if (delta.status !== 403 && delta.status !== 404 && this.#copy.update(readJson(delta, eurekaAnswer)))
        return;
    }
    const copy = new EurekaCopy();
    copy.replace(readJson(await this.#send('GET', '/apps', signal), eurekaAnswer));
    this.#copy = copy;
  }

  #tell(entry: Following): void {
    if (this.#copy === null || !this.#following.has(entry)) return;
    try {
      entry.to.updated(this.#copy.instances(entry.app));
    } catch (error) {
      entry.to.failed(error as Error);
    }
  }

  #send(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, signal: AbortSignal, body?: unknown) {
    return this.#servers.ask(signal, async (server): Promise<ApiAnswer> => {
      const url = `${server.replace(/\/$/, '')}${path}`;
      const answer = await this.#api.send({ method, url, body, timeoutMs: TIMEOUT_MS, signal });
      // Another server may be well.
      if (answer.status >= 500) expectStatus(answer, 200);
      return answer;
    });
  }
}
