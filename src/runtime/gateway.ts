/** The gateway: what is in force, how it changes while it runs, and how it stops. */
import { hash } from 'node:crypto';
import type { Issue } from '../config/issues.ts';
import type { Loaded } from '../config/load.ts';
import { watchFiles } from '../config/watch.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import { Dispatcher } from './dispatch.ts';
import { createEstate, type EstateParts } from './estate.ts';
import { createListeners, type Listeners } from './listeners.ts';
import { type Prepared, prepare } from './prepare.ts';
import { type ReadPlan, readPlan } from './read-plan.ts';
import { retire, type Snapshot } from './snapshot.ts';
import { createTracing, type Tracing, tracingKey } from './tracing.ts';
import { describeUpstreams, measureUpstreams, type UpstreamState } from './upstream-state.ts';

export interface GatewayOptions extends EstateParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly accessLog: AccessLog;
  /** Told of each configuration that is put in force, the first one too. */
  readonly applied?: (gateway: Gateway) => void;
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
}

export interface Gateway {
  readonly snapshot: Snapshot;
  readonly listeners: Listeners;
  /** The file as it is in force, with its warnings. */
  readonly loaded: Loaded;
  readonly issues: readonly Issue[];
  ready(): Readiness;
  /** Writes what is only read at a scrape into the metrics: connections, health, load of endpoints. */
  measure(): void;
  /** The upstreams with their endpoints as they are now, as plain data. */
  describeUpstreams(): readonly UpstreamState[];
  /**
   * Reads the file again and puts it in force without dropping anything. Those who ask while one is under way
   * share the next.
   * @throws ConfigRefused; what runs stays as it is
   */
  reload(): Promise<void>;
  /** Says "not ready" for `shutdown.delay`, then drains for `shutdown.grace`. Idempotent. */
  stop(): Promise<void>;
}

/** Reads, prepares and puts in force; then watches. */
class LiveGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #estate: ReturnType<typeof createEstate>;
  readonly listeners: Listeners;
  #dispatcher: Dispatcher | null = null;
  #read: ReadPlan | null = null;
  #watcher: ReturnType<typeof watchFiles> | null = null;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#estate = createEstate(options);
    this.listeners = createListeners({
      clock: options.clock,
      wheel: this.#estate.wheel,
      serve: (down) => this.#dispatcher!.serve(down),
      refused: (error, peer, listener) => this.#dispatcher?.refused(error, peer, listener),
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
    try {
      await this.#apply();
    } catch (error) {
      this.#estate.wheel.stop();
      throw error;
    }
    this.#options.metrics.started(this.#hash());
    this.#watcher = watchFiles(this.#read!.files(), this.#options.clock, () => void this.#reloadWatched());
  }

  ready(): Readiness {
    const why: string[] = [];
    if (this.#stopping !== null) why.push('the gateway is stopping');
    if (!this.snapshot.tracing.ready) why.push('no trace IDs can be made: the clock went backwards');
    return { ready: why.length === 0, why };
  }

  measure(): void {
    measureUpstreams(this.snapshot, this.#options.metrics);
    for (const listener of this.listeners.open) {
      this.#options.metrics.listener(listener.name).connections = listener.connections;
    }
  }

  describeUpstreams(): readonly UpstreamState[] {
    return describeUpstreams(this.snapshot);
  }

  reload(): Promise<void> {
    if (this.#next !== null) return this.#next;
    const run = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        this.#running = this.#reload();
        return this.#running;
      });
    this.#next = run;
    return run;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #reload(): Promise<void> {
    const { metrics, log } = this.#options;
    if (this.#stopping !== null) return;
    try {
      await this.#apply();
    } catch (error) {
      metrics.reloaded(null);
      throw error;
    } finally {
      // A plugin that was read anew may import other files, whatever became of the reload.
      this.#watcher?.update(this.#read!.files());
    }
    metrics.reloaded(this.#hash());
    log.info('the new configuration is in force', { routes: this.snapshot.routes.length });
  }

  async #reloadWatched(): Promise<void> {
    try {
      await this.reload();
    } catch (error) {
      if (!(error instanceof ConfigRefused)) {
        this.#options.log.error('the configuration could not be read again', { error });
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
  }

  async #apply(): Promise<void> {
    const { log } = this.#options;
    const read = await readPlan({ ...this.#options, log });
    const keep = this.#read;
    // Files that a refused version names are watched too: one of them may be what has to change.
    this.#read =
      keep === null ? read : { ...keep, files: () => [...new Set([...keep.files(), ...read.files()])] };
    if (read.plan === null || read.issues.refused) throw new ConfigRefused(read);
    const prepared = await prepare(this.#estate, {
      plan: read.plan,
      catalog: read.catalog,
      issues: read.issues,
    });
    const listeners = await this.listeners.prepare(read.plan.config, read.issues);
    const tracing = read.issues.refused ? null : await this.#tracing(read);
    if (tracing === null || read.issues.refused) {
      prepared.discard();
      await listeners.discard();
      throw new ConfigRefused(read);
    }
    this.#commit(read, prepared, tracing);
    listeners.commit();
    this.#options.applied?.(this);
  }

  /** Synchronous and without a way to fail: from one request to the next all is new. */
  #commit(read: ReadPlan, prepared: Prepared, tracing: Tracing): void {
    const { metrics, accessLog, log, clock } = this.#options;
    const before = this.#dispatcher?.snapshot ?? null;
    const snapshot = prepared.commit(tracing);
    if (this.#dispatcher !== null) this.#dispatcher.snapshot = snapshot;
    else {
      const { wheel, viaName } = this.#estate;
      this.#dispatcher = new Dispatcher(snapshot, { clock, wheel, viaName, metrics, accessLog, log });
    }
    this.#read = read;
    log.setLevel(snapshot.config.log.level);
    metrics.traceWorker(tracing.worker, tracing.source);
    metrics.retain({
      routes: new Set([...snapshot.routes.map((route) => route.info.name), '-']),
      upstreams: new Set(snapshot.upstreams.keys()),
    });
    if (before === null) return;
    retire(before);
    if (before.tracing !== tracing)
      before.tracing.close().catch((error) => log.error('the worker lock stays', { error }));
  }

  /** The one in use when nothing about it changed, so that its IDs go on in order. */
  async #tracing(read: ReadPlan): Promise<Tracing | null> {
    const { config } = read.plan!;
    const before = this.#dispatcher?.snapshot;
    if (before !== undefined && tracingKey(before.config) === tracingKey(config)) return before.tracing;
    try {
      return await createTracing(config, this.#options);
    } catch (error) {
      read.issues.error({ message: error instanceof Error ? error.message : String(error), path: ['trace'] });
      return null;
    }
  }

  async #stop(): Promise<void> {
    const { clock, log, accessLog } = this.#options;
    const { shutdown } = this.snapshot.config;
    this.#watcher?.close();
    await this.#running.catch(() => undefined);
    if (shutdown.delayMs > 0)
      await new Promise<void>((resolve) => void clock.after(shutdown.delayMs, resolve));
    await this.listeners.drain(shutdown.graceMs);
    retire(this.snapshot);
    await this.snapshot.tracing.close();
    this.#estate.wheel.stop();
    log.info('the gateway has stopped');
    await accessLog.stop();
  }

  #hash(): string {
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
