/** One connection to Redis with a budget for every answer: while Redis is gone or slow, nobody waits for it. */
import calculateSlot from 'cluster-key-slot';
import { Cluster, type Redis } from 'ioredis';
import type { Clock } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { PluginLogger, RedisLink } from '../plugin.ts';
import { Budget, type Question } from './budget.ts';
import { Census } from './census.ts';
import { Circuit } from './circuit.ts';
import { createRedisClient, prepareNode, type RedisClient, type RedisPlace } from './redis-options.ts';

export interface RedisSettings extends RedisPlace {
  /** What every key begins with. */
  readonly prefix: string;
  /** Longest wait for an answer. */
  readonly timeoutMs: number;
}

export interface RedisParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<PluginLogger, 'warn' | 'info'>;
}

/** Did not answer within the budget; whether it did what it was asked to is unknown. */
export class RedisTimeout extends Error {}

/** How long a start waits for the first connection. */
const FIRST_MS = 1000;
/** How long a goodbye may take. */
const QUIT_MS = 500;

/** A key on the same node of a Cluster. */
const besides = (key: string): string => (key.includes('{') ? `${key}:probe` : `{${key}}:probe`);

/** A command on its way. */
class Command<T> implements Question {
  settled = false;
  dueMs = 0;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: Error) => void;
  readonly #circuit: Circuit;

  constructor(resolve: (value: T) => void, reject: (error: Error) => void, circuit: Circuit) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#circuit = circuit;
  }

  succeeded(value: T): void {
    if (this.settled) return;
    this.settled = true;
    this.#circuit.succeeded();
    this.#resolve(value);
  }

  failed(error: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.#circuit.failed(error);
    this.#reject(error);
  }

  late(): void {
    this.failed(new RedisTimeout('no answer in time'));
  }
}

const nodeKey = (node: Redis): string => `${node.options.host}:${node.options.port}`;

export class RedisConnection implements RedisLink {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly #settings: RedisSettings;
  readonly #parts: RedisParts;
  readonly #census: Census;
  readonly #budget: Budget;
  /** Those of a Cluster, by `host:port`; ioredis connects to a node when it is first used, and we before that. */
  readonly #nodes = new Map<string, Redis>();
  /** One for each node of a Cluster, else one. */
  readonly #circuits = new Map<string, Circuit>();
  /** Null before anything was told. */
  #wasUp: boolean | null = null;
  #lastError = '';
  #isOpened = false;
  #isClosing = false;
  /** Called when all is connected. */
  #whole: () => void = () => undefined;

  constructor(settings: RedisSettings, name: string, parts: RedisParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.prefix = settings.prefix;
    this.client = createRedisClient(settings, name);
    this.#budget = new Budget(parts.clock, settings.timeoutMs);
    const censusKey = `${settings.prefix}:nodes`;
    this.#census = new Census({
      client: this.client,
      clock: parts.clock,
      key: censusKey,
      id: Buffer.from(parts.random.bytes(8)).toString('hex'),
      within: (work) => this.within(censusKey, work),
      up: () => this.up(censusKey),
    });
  }

  get nodes(): number {
    return this.#census.count;
  }

  /** Why Redis cannot be relied on now, or null; without addresses, which are for the log. */
  get trouble(): string | null {
    if (this.client.status !== 'ready') return 'Redis is not connected';
    if (this.#lost().length > 0) return 'some nodes of Redis are not connected';
    const silent = this.#silent();
    if (silent.length === 0) return null;
    const who = silent.includes('') ? 'Redis does not' : 'some nodes of Redis do not';
    return `${who} answer within ${this.#settings.timeoutMs} ms`;
  }

  /** Connects; comes back when the connection stands, or after a second without one. Never fails. */
  async open(): Promise<void> {
    const { clock } = this.#parts;
    const first = Promise.withResolvers<void>();
    const timer = clock.after(FIRST_MS, first.resolve);
    if (!(this.client instanceof Cluster)) prepareNode(this.client);
    this.client.on('error', (error: Error) => this.#failed(error));
    this.client.on('node error', (error: Error) => this.#failed(error));
    this.client.on('+node', (node: Redis) => this.#addNode(node));
    this.client.on('-node', (node: Redis) => {
      const name = nodeKey(node);
      this.#nodes.delete(name);
      this.#circuits.get(name)?.close();
      this.#circuits.delete(name);
      this.#changed();
    });
    this.client.on('ready', () => {
      this.#changed();
      if (this.trouble === null) first.resolve();
      this.#census.beat();
    });
    this.#whole = first.resolve;
    for (const event of ['close', 'end']) this.client.on(event, () => this.#changed());
    // Its failure comes as an event too, and it goes on trying.
    this.client.connect().catch((error: Error) => this.#failed(error));
    await first.promise;
    timer.cancel();
    this.#isOpened = true;
    this.#changed();
  }

  up(key: string): boolean {
    const { client } = this;
    if (client.status !== 'ready') return false;
    const node = this.#nodeOf(key);
    if (client instanceof Cluster && this.#nodes.get(node)?.status !== 'ready') return false;
    return this.#circuits.get(node)?.open !== true;
  }

  within<T>(key: string, work: Promise<T>): Promise<T> {
    const circuit = this.#circuitOf(key);
    return new Promise<T>((resolve, reject) => {
      const command = new Command(resolve, reject, circuit);
      this.#budget.start(command);
      work.then(
        (value) => command.succeeded(value),
        (error: Error) => command.failed(error),
      );
    });
  }

  /** Says goodbye after the commands that are under way. Never fails. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const circuit of this.#circuits.values()) circuit.close();
    await this.#census.leave();
    const late = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(QUIT_MS, late.resolve);
    const quit = this.client.status === 'ready' ? this.client.quit() : Promise.resolve();
    await Promise.race([quit.catch(() => undefined), late.promise]);
    timer.cancel();
    this.client.disconnect();
    this.#budget.close();
  }

  #addNode(node: Redis): void {
    this.#nodes.set(nodeKey(node), node);
    prepareNode(node);
    node.on('ready', () => {
      this.#changed();
      if (this.trouble === null) this.#whole();
    });
    // It may be connecting already; its failure is told by the Cluster as well.
    if (node.status === 'wait') node.connect().catch((error: Error) => this.#failed(error));
  }

  /** The nodes of a Cluster that hold any key. */
  #owners(): string[] {
    const { client } = this;
    return client instanceof Cluster ? [...new Set(client.slots.map((nodes) => nodes?.[0] ?? ''))] : [];
  }

  #nodeOf(key: string): string {
    const { client } = this;
    return client instanceof Cluster ? (client.slots[calculateSlot(key)]?.[0] ?? '') : '';
  }

  #circuitOf(key: string): Circuit {
    const node = this.#nodeOf(key);
    let circuit = this.#circuits.get(node);
    if (circuit === undefined) {
      circuit = new Circuit({
        clock: this.#parts.clock,
        probe: () => this.#probe(besides(key)),
        // Of a Cluster only the one node: those on the others go on.
        reconnect: () => (this.#nodes.get(node) ?? this.client).disconnect(true),
        failed: (error) => this.#failed(error),
        changed: () => this.#changed(),
      });
      this.#circuits.set(node, circuit);
    }
    return circuit;
  }

  /** A write, because a demoted master answers reads. */
  #probe(key: string): Promise<unknown> {
    const { client } = this;
    if (client.status !== 'ready') return Promise.reject(new Error('not connected'));
    const late = Promise.withResolvers<never>();
    const timer = this.#parts.clock.after(this.#settings.timeoutMs, () => late.reject(new RedisTimeout()));
    return Promise.race([client.set(key, 1, 'PX', 1000), late.promise]).finally(() => timer.cancel());
  }

  /** The nodes of a Cluster that are not connected. */
  #lost(): string[] {
    return this.#owners().filter((node) => this.#nodes.get(node)?.status !== 'ready');
  }

  /** The nodes that nobody asks now; '' is a lone server. */
  #silent(): string[] {
    return [...this.#circuits].filter(([, circuit]) => circuit.open).map(([node]) => node);
  }

  #failed(error: Error): void {
    this.#lastError = error.message;
  }

  /** Tells the log, once for each change; at the start there is a second without a word. */
  #changed(): void {
    if (this.#isClosing || !this.#isOpened) return;
    const { log } = this.#parts;
    const { trouble } = this;
    const isUp = trouble === null;
    if (isUp === this.#wasUp) return;
    if (!isUp) {
      const nodes = [...this.#lost(), ...this.#silent()].filter((node) => node !== '');
      const why = { cause: trouble, nodes, lastError: this.#lastError };
      log.warn('Redis cannot be used: limits go on as their onStoreFailure says', why);
    } else if (this.#wasUp === false) log.info('Redis can be used again');
    if (isUp) this.#lastError = '';
    this.#wasUp = isUp;
  }
}
