/** Consul's HTTP API (developer.hashicorp.com/consul/api-docs): the agents of one cluster, asked in turn. */
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { type BlockingQuery, type ConsulFollower, followConsul } from './consul-follow.ts';
import { type ApiAnswer, type ApiTls, expectStatus, HttpApi } from './http-api.ts';
import { createServerList, type ServerList } from './server-list.ts';

export interface ConsulOptions {
  /** URLs of agents, at least one. */
  readonly addresses: readonly string[];
  /** Access token; null where anyone may ask. */
  readonly token: string | null;
  readonly tls: ApiTls | null;
  readonly clock: Clock;
  readonly random: Random;
}

export type ConsulParams = readonly (readonly [string, string])[];

/** A service of 10,000 instances takes some 15 MB. */
const MOST_BYTES = 32 * 1024 * 1024;
const WRITE_TIMEOUT_MS = 5_000;

export class ConsulClient {
  readonly #o: ConsulOptions;
  readonly #api: HttpApi;
  readonly #servers: ServerList;
  readonly #end = new AbortController();

  constructor(options: ConsulOptions) {
    this.#o = options;
    this.#api = new HttpApi({ clock: options.clock, tls: options.tls, mostBytes: MOST_BYTES });
    this.#servers = createServerList(options.addresses);
  }

  /** Follows what a path says, by blocking queries, until closed. */
  follow<T>(query: BlockingQuery<T>, to: ConsulFollower<T>): { close(): void } {
    const { clock, random } = this.#o;
    const ask = (params: ConsulParams, timeoutMs: number, signal: AbortSignal) =>
      this.#servers.ask(signal, (server) =>
        this.#send('GET', server, query.path, { params, timeoutMs, signal }),
      );
    return followConsul(query, to, { clock, random, ask, signal: this.#end.signal });
  }

  /**
   * Sends to the agent itself, the first one that answers.
   * @returns false when it says that there is no such thing
   * @throws Error for every other answer than 200
   */
  async call(method: 'GET' | 'PUT', path: string, body?: unknown): Promise<boolean> {
    const { signal } = this.#end;
    const options = { params: [], timeoutMs: WRITE_TIMEOUT_MS, signal, body };
    const answer = await this.#servers.ask(signal, (server) => this.#send(method, server, path, options));
    expectStatus(answer, 200, 404);
    return answer.status === 200;
  }

  /** Ends all that follows, and the connections. */
  close(): Promise<void> {
    this.#end.abort(new Error('Consul is no longer needed'));
    return this.#api.close();
  }

  async #send(
    method: 'GET' | 'PUT',
    server: string,
    path: string,
    options: { params: ConsulParams; timeoutMs: number; signal: AbortSignal; body?: unknown },
  ): Promise<ApiAnswer> {
    const { params, ...rest } = options;
    const { token } = this.#o;
    const url = new URL(`${server.replace(/\/$/, '')}${path}`);
    for (const [name, value] of params) url.searchParams.append(name, value);
    const answer = await this.#api.send({
      method,
      url: url.href,
      headers: token === null ? {} : { 'x-consul-token': token },
      ...rest,
    });
    // An agent that has lost its cluster says so; another one may not have.
    if (answer.status >= 500) expectStatus(answer, 200);
    return answer;
  }
}
