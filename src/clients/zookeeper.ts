/** A session with ZooKeeper that knows by a clock of its own whether it lives, and begins anew when it does not. */
import { ACL, type Client, CreateMode, Exception, Id, Permission, State } from 'node-zookeeper-client';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import { type Backoff, createBackoff } from './backoff.ts';
import { type Changed, ZooKeeperWatchers } from './zookeeper-watchers.ts';
import { createWire, type Wire, type WireServer } from './zookeeper-wire.ts';

export interface ZooKeeperOptions {
  /** The servers of one ensemble, at least one. */
  readonly servers: readonly WireServer[];
  /** Wanted; the servers may settle on another. */
  readonly sessionMs: number;
  /** `user:password` for access lists, or null. */
  readonly digest: string | null;
  readonly clock: Clock;
  readonly random: Random;
}

export interface SessionListener {
  /**
   * A server answers.
   * @param fresh a new session: no watch and no ephemeral node of an earlier one lives
   */
  connected(fresh: boolean): void;
  /** A probe came back: whatever was to be told before it has been told. About three times a session. */
  alive?(): void;
  /** No server answers; the session may live on. Told again as long as it lasts. */
  suspended(error: Error): void;
  /** The session is over, or must be taken to be. Never later than the servers end it. */
  lost?(): void;
}

export type NodeMode = 'persistent' | 'ephemeral' | 'ephemeral-sequential';

const MODES: Readonly<Record<NodeMode, number>> = {
  persistent: CreateMode.PERSISTENT,
  ephemeral: CreateMode.EPHEMERAL,
  'ephemeral-sequential': CreateMode.EPHEMERAL_SEQUENTIAL,
};

/** With credentials, nodes of ours are ours to change and everybody's to read. */
const OWN_ACL = [
  new ACL(Permission.ALL, new Id('auth', '')),
  new ACL(Permission.READ, new Id('world', 'anyone')),
];
const OPEN_ACL = [new ACL(Permission.ALL, new Id('world', 'anyone'))];

/** Fine enough for the shortest session, of which a third is the finest thing to be measured. */
const TICK_MS = 100;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
const GOODBYE_MS = 1_000;

type Answer<T> = (error: Error | Exception | null, value: T) => void;

const isNoNode = (error: unknown): boolean => error instanceof Exception && error.code === Exception.NO_NODE;

const shuffled = <T>(list: readonly T[], random: Random): T[] =>
  list
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

/**
 * The library neither notices a server that is silent nor says that a session has run out, so both are watched here:
 * a probe every third of the session, a third to answer it, and the last third to reach another server.
 */
export class ZooKeeperSession {
  readonly #o: ZooKeeperOptions;
  readonly #listeners = new Set<SessionListener>();
  readonly #watchers = new ZooKeeperWatchers();
  /** What was sent and has no answer yet. */
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #backoff: Backoff;
  readonly #ticker: Timer;
  #wire: Wire | null = null;
  #reopening: Timer | null = null;
  #closed = false;
  #connected = false;
  /** A session was given to us and has not run out. */
  #established = false;
  #sessionMs: number;
  /** When the last thing was sent that has been answered: the servers count from then or later. */
  #aliveMs = 0;
  #probedMs: number | null = null;
  #dialled: unknown = null;
  #dialledMs = 0;
  #toldMs: number;
  #why: Error | null = null;

  constructor(options: ZooKeeperOptions) {
    this.#o = options;
    this.#sessionMs = options.sessionMs;
    this.#backoff = createBackoff(options.random, FIRST_RETRY_MS, LAST_RETRY_MS);
    this.#toldMs = options.clock.nowMs();
    this.#ticker = options.clock.every(TICK_MS, () => this.#tick());
    this.#open();
  }

  /** False from the moment on when others may hold what this session held. */
  get live(): boolean {
    return this.#established && this.#o.clock.nowMs() - this.#aliveMs < this.#sessionMs;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** @returns what ends it */
  subscribe(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Waits for a server to answer.
   * @throws Error when none does in that time
   */
  async ready(waitMs: number): Promise<void> {
    if (this.#connected) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.#o.clock.after(waitMs, () => reject(this.#silence()));
    const unsubscribe = this.subscribe({ connected: () => resolve(), suspended() {} });
    try {
      await promise;
    } finally {
      timer.cancel();
      unsubscribe();
    }
  }

  /** The names of a node's children, or null when there is no such node. `changed` is called once, when that ends. */
  async children(path: string, changed: Changed | null = null): Promise<readonly string[] | null> {
    return await this.#watched<string[]>(`children ${path}`, changed, (client, watcher, answer) =>
      watcher === null ? client.getChildren(path, answer) : client.getChildren(path, watcher, answer),
    );
  }

  /** What a node holds, or null when there is no such node. `changed` is called once, when that ends. */
  async data(path: string, changed: Changed | null = null): Promise<Buffer | null> {
    const found = await this.#watched<Buffer | undefined>(
      `data ${path}`,
      changed,
      (client, watcher, answer) =>
        watcher === null ? client.getData(path, answer) : client.getData(path, watcher, answer),
    );
    return found === undefined ? Buffer.alloc(0) : found;
  }

  /** Is there such a node? `changed` is called once, when it comes, goes or changes. */
  async exists(path: string, changed: Changed | null = null): Promise<boolean> {
    const stat = await this.#watched<unknown>(`exists ${path}`, changed, (client, watcher, answer) =>
      watcher === null ? client.exists(path, answer) : client.exists(path, watcher, answer),
    );
    return stat !== null;
  }

  /**
   * Makes a node and the folders above it. When it fails by the connection, the node may have been made.
   * @returns its path, which a sequential one gets from the server
   */
  async create(path: string, data: Uint8Array, mode: NodeMode): Promise<string> {
    const above = path.slice(0, path.lastIndexOf('/'));
    if (above !== '') await this.#send<string>((client, answer) => client.mkdirp(above, answer));
    const acl = this.#o.digest === null ? OPEN_ACL : OWN_ACL;
    return await this.#send<string>((client, answer) =>
      client.create(path, Buffer.from(data), acl, MODES[mode], answer),
    );
  }

  /** Takes a node away. @returns false when there was none */
  async remove(path: string): Promise<boolean> {
    try {
      await this.#send<void>((client, answer) => client.remove(path, (error) => answer(error, undefined)));
      return true;
    } catch (error) {
      if (isNoNode(error)) return false;
      throw error;
    }
  }

  /** `changed` waits for nothing any more. */
  forget(changed: Changed): void {
    this.#watchers.remove(changed);
  }

  /** Ends the session, and with it its ephemeral nodes; tells nobody. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#ticker.cancel();
    this.#reopening?.cancel();
    this.#listeners.clear();
    this.#watchers.clear();
    this.#fail(new Error('the session with ZooKeeper was closed'));
    this.#established = false;
    this.#connected = false;
    await this.#wire?.end(GOODBYE_MS);
  }

  #open(): void {
    const { servers, sessionMs, digest, clock, random } = this.#o;
    const fault = (error: Error) => {
      this.#why = error;
    };
    const wire = createWire({ servers: shuffled(servers, random), sessionMs, clock, fault });
    this.#wire = wire;
    if (digest !== null) wire.client.addAuthInfo('digest', Buffer.from(digest));
    wire.client.on('state', (state) => this.#enter(wire, state));
    wire.client.connect();
  }

  #enter(wire: Wire, state: State): void {
    if (state === State.SYNC_CONNECTED) this.#begin(wire);
    else if (state === State.EXPIRED) this.#renew(new Error('the session with ZooKeeper has expired'));
    else if (state === State.AUTH_FAILED) this.#renew(new Error('ZooKeeper refuses the credentials'));
    else if (state === State.DISCONNECTED) this.#suspend(new Error('the connection to ZooKeeper was lost'));
  }

  #begin(wire: Wire): void {
    const fresh = !this.#established;
    this.#sessionMs = wire.client.getSessionTimeout();
    this.#aliveMs = wire.helloMs;
    this.#established = true;
    this.#connected = true;
    this.#why = null;
    this.#backoff.reset();
    for (const listener of this.#listeners) listener.connected(fresh);
  }

  #suspend(error: Error): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#probedMs = null;
    this.#fail(error);
    this.#tell(error);
  }

  #tell(error: Error): void {
    this.#toldMs = this.#o.clock.nowMs();
    for (const listener of this.#listeners) listener.suspended(error);
  }

  #fail(error: Error): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(error);
  }

  /** Gives the session up and begins another one. */
  #renew(error: Error): void {
    const held = this.#established;
    this.#suspend(error);
    this.#established = false;
    this.#watchers.clear();
    this.#wire?.drop();
    this.#wire = null;
    this.#why = error;
    if (held) for (const listener of this.#listeners) listener.lost?.();
    if (this.#closed) return;
    this.#reopening = this.#o.clock.after(this.#backoff.nextMs(), () => this.#open());
  }

  #tick(): void {
    const now = this.#o.clock.nowMs();
    // A tick early: at the next one it would be too late.
    if (this.#established && now - this.#aliveMs >= this.#sessionMs - TICK_MS)
      this.#renew(new Error('no ZooKeeper server answered for as long as the session lasts'));
    else if (this.#connected) this.#probe(now);
    else this.#dial(now);
  }

  #probe(now: number): void {
    if (this.#probedMs !== null) {
      if (now - this.#probedMs >= this.#sessionMs / 3) this.#wire?.cut();
      return;
    }
    if (now - this.#aliveMs < this.#sessionMs / 3) return;
    this.#probedMs = now;
    const wire = this.#wire;
    wire?.client.exists('/', (error) => {
      if (wire !== this.#wire || this.#probedMs !== now || error) return;
      this.#probedMs = null;
      this.#aliveMs = now;
      for (const listener of this.#listeners) listener.alive?.();
    });
  }

  /** A server that takes the connection and says nothing keeps us from the next one. */
  #dial(now: number): void {
    const { socket } = this.#wire ?? {};
    if (socket !== this.#dialled) {
      this.#dialled = socket;
      this.#dialledMs = now;
    } else if (
      socket !== undefined &&
      now - this.#dialledMs >= this.#sessionMs / (this.#o.servers.length + 1)
    )
      this.#wire?.cut();
    if (now - this.#toldMs >= this.#sessionMs / 2) this.#tell(this.#silence());
  }

  #silence(): Error {
    const names = this.#o.servers.map(({ host, port }) => `${host}:${port}`).join(', ');
    const why = this.#why === null ? '' : `: ${this.#why.message}`;
    return new Error(`no ZooKeeper server answers at ${names}${why}`);
  }

  /** Null where there is no such node, which then is not watched, unless its existence was asked for. */
  async #watched<T>(
    key: string,
    changed: Changed | null,
    send: (client: Client, watcher: (() => void) | null, answer: Answer<T>) => void,
  ): Promise<T | null> {
    const watcher = changed && this.#watchers.add(key, changed);
    try {
      return await this.#send<T>((client, answer) => send(client, watcher, answer));
    } catch (error) {
      if (changed !== null) this.#watchers.remove(changed, key);
      if (isNoNode(error)) return null;
      throw error;
    }
  }

  async #send<T>(send: (client: Client, answer: Answer<T>) => void): Promise<T> {
    const wire = this.#wire;
    if (!this.#connected || wire === null) throw new Error('there is no connection to ZooKeeper');
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    send(wire.client, (error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
    this.#waiting.add(reject);
    return promise.finally(() => this.#waiting.delete(reject));
  }
}
