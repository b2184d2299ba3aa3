/** The gateway: what is in force, how it changes while it runs, and how it stops. */
import { hash } from 'node:crypto';
import type { Issue } from '../config/issues.ts';
import type { Loaded } from '../config/load.ts';
import { type FileWatch, watchFiles } from '../config/watch.ts';
import { keepAlive } from '../kernel/keep-alive.ts';
import { memoryUsed } from '../kernel/memory.ts';
import { PushRegistry } from '../registry/push.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { Downstream } from '../wire/downstream.ts';
import { Dispatcher } from './dispatch.ts';
import { describeEndpoints, type Findings } from './endpoint-state.ts';
import { createEstate, type Estate, type EstateParts } from './estate.ts';
import { createListeners, type Listeners, type PreparedListeners } from './listeners.ts';
import type { Plan } from './plan.ts';
import { type Prepared, prepare } from './prepare.ts';
import { type ReadPlan, readPlan } from './read-plan.ts';
import { Registrations } from './registrations.ts';
import { troubleOf } from './registries.ts';
import { Shedder } from './shedder.ts';
import { retire, type Snapshot } from './snapshot.ts';
import { createTracing, type Tracing } from './tracing.ts';
import { Turns } from './turns.ts';
import { describeUpstreams, measureUpstreams, type UpstreamState } from './upstream-state.ts';

export interface GatewayOptions extends EstateParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly accessLog: AccessLog;
  /** Told of each configuration that is put in force, the first one too. */
  readonly applied?: (gateway: Gateway) => void;
  /** Told of each changed configuration that is refused; without it the log says why. */
  readonly refused?: ((error: ConfigRefused) => void) | undefined;
}

/** A configuration that cannot be put in force, with all that is wrong with it. */
export class ConfigRefused extends Error {
  readonly issues: readonly Issue[];
  readonly loaded: Loaded;

  constructor(read: ReadPlan) {
    super(
      read.issues.issues.find((issue) => issue.severity === 'error')?.message ??
        'the configuration is refused',
    );
    this.issues = read.issues.issues;
    this.loaded = read.loaded;
  }
}

export interface Readiness {
  readonly ready: boolean;
  /** What stands against it. */
  readonly why: string[];
  /** What works less well than it should, though traffic may come. */
  readonly degraded: string[];
}

export interface Gateway {
  readonly snapshot: Snapshot;
  readonly listeners: Listeners;
  /** The file as it is in force, with its warnings. */
  readonly loaded: Loaded;
  readonly issues: readonly Issue[];
  /** Twelve hex digits of the file's text, as `snowgate_config_info` has them: equal on gateways that run the same. */
  readonly hash: string;
  ready(): Readiness;
  /** Writes what is only read at a scrape into the metrics: connections, health, load of endpoints. */
  measure(): void;
  /** The upstreams with their endpoints as they are now, as plain data. */
  describeUpstreams(): readonly UpstreamState[];
  /** Where the endpoints of each upstream come from, and which are in use, as plain data. */
  describeEndpoints(): readonly Findings[];
  /** The registry that services enter themselves in; null where none is configured. */
  readonly push: PushRegistry | null;
  /**
   * Reads the file again and puts it in force without dropping anything. Those who ask while one is under way
   * share the next.
   * @throws ConfigRefused; what runs stays as it is
   */
  reload(): Promise<void>;
  /** Says "not ready" for `shutdown.delay`, then drains for `shutdown.grace`. Idempotent. */
  stop(): Promise<void>;
}

/** All that a configuration needs, acquired and not yet in force. */
interface Ready {
  readonly tracing: Tracing;
  readonly prepared: Prepared;
  readonly listeners: PreparedListeners;
}

/** Reads, prepares and puts in force; then watches. */
class LiveGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #estate: Estate;
  readonly #shedder: Shedder;
  readonly listeners: Listeners;
  readonly #registrations: Registrations;
  readonly #turns = new Turns(() => this.#turn());
  /** Requests that came in at the start, when the first address was bound and the last one was not. */
  readonly #early = new Set<Downstream>();
  #dispatcher: Dispatcher | null = null;
  #read: ReadPlan | null = null;
  #watcher: FileWatch | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#estate = createEstate(options);
    this.#registrations = new Registrations({ ...options, registries: this.#estate.registries });
    this.#shedder = new Shedder({ clock: options.clock, log: options.log, memoryUsed });
    this.listeners = createListeners({
      clock: options.clock,
      wheel: this.#estate.wheel,
      serve: (down) => this.#serve(down),
      refused: (error, peer, where) => this.#dispatcher?.refused(error, peer, where) ?? '',
    });
  }

  get snapshot(): Snapshot {
    return this.#dispatcher!.snapshot;
  }

  get loaded(): Loaded {
    return this.#read!.loaded;
  }

  get issues(): readonly Issue[] {
    return this.#read!.issues.issues;
  }

  async start(): Promise<void> {
    const { file, clock, metrics } = this.#options;
    // Before anything is read: an edit while plugins are being set up must not be lost.
    this.#watcher = watchFiles([file], clock, () => void this.#reloadWatched());
    try {
      await this.#turns.ask();
    } catch (error) {
      this.#stopping = Promise.resolve();
      this.#watcher.close();
      this.#shedder.close();
      await this.#estate.close();
      throw error;
    }
    metrics.started(this.hash);
    this.#watcher.update(this.#read!.files());
  }

  ready(): Readiness {
    const why: string[] = [];
    if (this.#stopping !== null) why.push('the gateway is stopping');
    if (!this.snapshot.tracing.ready) why.push('no trace IDs can be made: the clock went backwards');
    const registries = [...this.snapshot.upstreams.values()].map(
      ({ followed }) => followed && troubleOf(followed),
    );
    const troubles = [this.snapshot.redis?.trouble ?? null, this.#shedder.trouble, ...registries];
    return { ready: why.length === 0, why, degraded: troubles.filter((each) => each !== null) };
  }

  measure(): void {
    const { metrics } = this.#options;
    const { redis } = this.snapshot;
    measureUpstreams(this.snapshot, metrics);
    metrics.shedding(this.#shedder.level);
    metrics.redis(redis && { up: redis.trouble === null, nodes: redis.nodes });
    for (const listener of this.listeners.open) {
      metrics.listener(listener.name).connections = listener.connections;
    }
  }

  describeUpstreams(): readonly UpstreamState[] {
    return describeUpstreams(this.snapshot);
  }

  describeEndpoints(): readonly Findings[] {
    return describeEndpoints(this.snapshot);
  }

  get push(): PushRegistry | null {
    for (const { value } of this.snapshot.registries)
      if (value.registry instanceof PushRegistry) return value.registry;
    return null;
  }

  reload(): Promise<void> {
    return this.#turns.ask();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #serve(down: Downstream): void {
    if (this.#dispatcher !== null) this.#dispatcher.serve(down);
    else {
      this.#early.add(down);
      const forget = () => this.#early.delete(down);
      down.closed = forget;
    }
  }

  /** Reloads that were asked for meanwhile come to nothing once the gateway stops or could not start. */
  async #turn(): Promise<void> {
    if (this.#stopping !== null) return;
    if (this.#dispatcher === null) await this.#apply();
    else await this.#reload();
  }

  async #reload(): Promise<void> {
    const { metrics, log } = this.#options;
    try {
      await this.#apply();
    } catch (error) {
      metrics.reloaded(null);
      if (error instanceof ConfigRefused) this.#tellRefusal(error);
      // What was refused may have had routes of its own.
      this.#retainMetrics(this.snapshot);
      throw error;
    } finally {
      // A plugin that was read anew may import other files, whatever became of the reload.
      this.#watcher?.update(this.#read!.files());
    }
    metrics.reloaded(this.hash);
    log.info('the new configuration is in force', { routes: this.snapshot.routes.length });
  }

  async #reloadWatched(): Promise<void> {
    try {
      await this.reload();
    } catch (error) {
      if (!(error instanceof ConfigRefused))
        this.#options.log.error('the configuration could not be read again', { error });
    }
  }

  /** Whoever asked for the reload, it is told why it came to nothing. */
  #tellRefusal(error: ConfigRefused): void {
    if (this.#options.refused !== undefined) {
      this.#options.refused(error);
      return;
    }
    for (const { severity, message, place, remedy } of error.issues) {
      if (severity !== 'error') continue;
      const where = place === null ? '' : `${place.file}:${place.line}:${place.column}`;
      this.#options.log.error('the new configuration is refused; the old one stays', {
        where,
        message,
        remedy,
      });
    }
  }

  async #apply(): Promise<void> {
    const { log } = this.#options;
    const read = await readPlan({ ...this.#options, log });
    const keep = this.#read;
    // Files that a refused version names are watched too: one of them may be what has to change.
    this.#read =
      keep === null ? read : { ...keep, files: () => [...new Set([...keep.files(), ...read.files()])] };
    if (read.plan === null || read.issues.refused) throw new ConfigRefused(read);
    const ready = await this.#acquire(read, read.plan);
    this.#commit(read, ready);
    this.#options.applied?.(this);
  }

  /** @throws ConfigRefused and others, with everything given back */
  async #acquire(read: ReadPlan, plan: Plan): Promise<Ready> {
    const { catalog, issues } = read;
    const undo: (() => void | Promise<void>)[] = [];
    try {
      const tracing = await this.#tracing(read);
      undo.push(() => tracing?.close());
      const prepared = await prepare(this.#estate, { plan, catalog, issues });
      undo.push(() => prepared.discard());
      // Nobody shall reach a configuration that is refused anyway.
      if (tracing === null || issues.refused) throw new ConfigRefused(read);
      const listeners = await this.listeners.prepare(plan.config, issues);
      undo.push(() => listeners.discard());
      if (issues.refused) throw new ConfigRefused(read);
      return { tracing, prepared, listeners };
    } catch (error) {
      for (const each of undo.reverse()) await each();
      throw error;
    }
  }

  /** Synchronous and without a way to fail: from one request to the next all is new. */
  #commit(read: ReadPlan, { tracing, prepared, listeners }: Ready): void {
    const { metrics, accessLog, log, clock } = this.#options;
    const shedder = this.#shedder;
    const before = this.#dispatcher?.snapshot ?? null;
    const snapshot = prepared.commit(tracing, before);
    if (this.#dispatcher !== null) this.#dispatcher.snapshot = snapshot;
    else {
      const { wheel, viaName } = this.#estate;
      this.#dispatcher = new Dispatcher(snapshot, {
        clock,
        wheel,
        viaName,
        metrics,
        accessLog,
        log,
        shedder,
      });
    }
    this.#read = read;
    listeners.commit();
    log.setLevel(snapshot.config.log.level);
    shedder.use(snapshot.config.shed);
    metrics.traceWorker(tracing.worker, tracing.source);
    this.#retainMetrics(snapshot);
    this.#registrations.follow(snapshot.config);
    if (before !== null) retire(before);
    for (const down of this.#early) this.#dispatcher.serve(down);
    this.#early.clear();
  }

  /** Series of routes, parts, upstreams and listeners that are gone go with them. */
  #retainMetrics(snapshot: Snapshot): void {
    for (const { meter, plan } of snapshot.routes)
      meter.retainParts(new Set(plan.parts.map(({ part }) => part.name)));
    this.#options.metrics.retain({
      routes: new Set([...snapshot.routes.map((route) => route.info.name), '-']),
      upstreams: new Set(snapshot.upstreams.keys()),
      listeners: new Set(this.listeners.open.map((listener) => listener.name)),
    });
  }

  async #tracing(read: ReadPlan): Promise<Tracing | null> {
    try {
      return await createTracing(read.plan!.config, this.#estate);
    } catch (error) {
      read.issues.error({ message: error instanceof Error ? error.message : String(error), path: ['trace'] });
      return null;
    }
  }

  async #stop(): Promise<void> {
    const { clock, log, accessLog } = this.#options;
    const release = keepAlive();
    this.#watcher?.close();
    await this.#turns.settled();
    const { snapshot } = this;
    const { delayMs, graceMs } = snapshot.config.shutdown;
    // Others shall stop calling before the first of them is refused.
    await this.#registrations.close();
    if (delayMs > 0) await new Promise<void>((resolve) => void clock.after(delayMs, resolve));
    await this.listeners.drain(graceMs);
    retire(snapshot);
    this.#shedder.close();
    await this.#estate.close();
    log.info('the gateway has stopped');
    await accessLog.stop();
    release();
  }

  get hash(): string {
    return hash('sha256', this.loaded.text).slice(0, 12);
  }
}

/**
 * Starts a gateway; when this resolves it serves.
 * @throws ConfigRefused with everything that is wrong
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = new LiveGateway(options);
  await gateway.start();
  return gateway;
}
