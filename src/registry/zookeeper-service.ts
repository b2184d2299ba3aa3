/** Follows the nodes below one node of ZooKeeper: reads what has changed, and everything after a loss of the connection. */
import { createBackoff, pause } from '../clients/backoff.ts';
import type { SessionListener, ZooKeeperSession } from '../clients/zookeeper.ts';
import type { RegisteredEndpoint, RegistryListener, RegistryParts } from './registry.ts';

export interface ServiceNodes {
  readonly session: ZooKeeperSession;
  /** The node of the service. */
  readonly path: string;
  /** @throws Error that goes on after the path of the node */
  readonly read: (name: string, data: Buffer) => RegisteredEndpoint;
  readonly to: RegistryListener;
  readonly parts: Pick<RegistryParts, 'clock' | 'random' | 'log' | 'name'>;
}

interface Node {
  /** The last that could be read; null as long as nothing could. */
  endpoint: RegisteredEndpoint | null;
  /** Why what it holds now cannot be read. */
  problem: string | null;
  /** It has to be read again. */
  stale: boolean;
  readonly changed: () => void;
}

const MOST_NODES = 10_000;
const READ_AT_ONCE = 256;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 15_000;

export class ZooKeeperService implements SessionListener {
  readonly #o: ServiceNodes;
  readonly #nodes = new Map<string, Node>();
  readonly #end = new AbortController();
  readonly #unsubscribe: () => void;
  #listStale = true;
  #reading = false;

  constructor(options: ServiceNodes) {
    this.#o = options;
    this.#unsubscribe = options.session.subscribe(this);
    if (options.session.connected) void this.#catchUp();
  }

  close(): void {
    this.#end.abort();
    this.#unsubscribe();
    this.#o.session.forget(this.#listChanged);
    for (const { changed } of this.#nodes.values()) this.#o.session.forget(changed);
  }

  /** Whatever was missed meanwhile: nobody counts on watches to have lived on. */
  connected(): void {
    this.#listStale = true;
    for (const node of this.#nodes.values()) node.stale = true;
    void this.#catchUp();
  }

  /** Reads the list anew: a node that was closed to us fires no watch, and one request is a small price. */
  alive(): void {
    this.#listChanged();
  }

  suspended(error: Error): void {
    this.#o.to.failed(error);
  }

  readonly #listChanged = (): void => {
    this.#listStale = true;
    void this.#catchUp();
  };

  #isStale(): boolean {
    return this.#listStale || this.#nodes.values().some((node) => node.stale);
  }

  /** Reads until nothing is stale; what changes meanwhile is read in the same go. */
  async #catchUp(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const { session, to, parts } = this.#o;
    const { signal } = this.#end;
    const backoff = createBackoff(parts.random, FIRST_RETRY_MS, LAST_RETRY_MS);
    while (session.connected && this.#isStale() && !signal.aborted) {
      try {
        await this.#readStale();
        if (signal.aborted || this.#isStale()) continue;
        to.endpoints(this.#endpoints());
      } catch (error) {
        this.#listStale = true;
        // Without a connection the session says why, and that there is one again.
        if (signal.aborted || !session.connected) break;
        to.failed(error as Error);
        await pause(parts.clock, backoff.nextMs(), signal);
      }
    }
    this.#reading = false;
  }

  async #readStale(): Promise<void> {
    if (this.#listStale) await this.#readList();
    const stale = [...this.#nodes].filter(([, node]) => node.stale);
    for (let at = 0; at < stale.length; at += READ_AT_ONCE) {
      const some = stale.slice(at, at + READ_AT_ONCE);
      await Promise.all(some.map(([name, node]) => this.#readNode(name, node)));
    }
  }

  async #readList(): Promise<void> {
    const { session, path } = this.#o;
    this.#listStale = false;
    const names = await session.children(path, this.#listChanged);
    // A service that nobody has entered yet; if it was entered just now, there is something to read after all.
    if (names === null && (await session.exists(path, this.#listChanged))) this.#listStale = true;
    if (names !== null && names.length > MOST_NODES)
      throw new Error(`${path} has ${names.length} nodes, more than ${MOST_NODES}`);
    const present = new Set(names ?? []);
    for (const [name, { changed }] of this.#nodes) {
      if (present.has(name)) continue;
      session.forget(changed);
      this.#nodes.delete(name);
    }
    for (const name of present) if (!this.#nodes.has(name)) this.#nodes.set(name, this.#node());
  }

  #node(): Node {
    const node: Node = {
      endpoint: null,
      problem: null,
      stale: true,
      changed: () => {
        node.stale = true;
        void this.#catchUp();
      },
    };
    return node;
  }

  async #readNode(name: string, node: Node): Promise<void> {
    const { session, path, read, parts } = this.#o;
    node.stale = false;
    let data: Buffer | null;
    try {
      data = await session.data(`${path === '/' ? '' : path}/${name}`, node.changed);
    } catch (error) {
      node.stale = true;
      throw error;
    }
    if (data === null) {
      // Gone between the list and now.
      this.#nodes.delete(name);
      return;
    }
    try {
      node.endpoint = read(name, data);
      node.problem = null;
    } catch (error) {
      const problem = `${path}/${name} ${(error as Error).message}`;
      if (node.problem !== problem)
        parts.log.warn('a node of the registry cannot be read; what it said last stays in use', {
          registry: parts.name,
          reason: problem,
        });
      node.problem = problem;
    }
  }

  /** @throws Error when there are nodes and none of them can be read */
  #endpoints(): RegisteredEndpoint[] {
    const nodes = [...this.#nodes.values()];
    const found = nodes.flatMap(({ endpoint }) => endpoint ?? []);
    if (nodes.length > 0 && found.length === 0)
      throw new Error(nodes.find(({ problem }) => problem)?.problem ?? '');
    return found;
  }
}
