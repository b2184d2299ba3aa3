/** Keeps the admin server at the address that the configuration in force names. */
import { type Admin, createAdmin } from '../admin/admin.ts';
import type { AdminSources } from '../admin/sources.ts';
import { redact } from '../config/redact.ts';
import { systemClock, type Timer } from '../kernel/clock.ts';
import { ConfigRefused, type Gateway } from '../runtime/gateway.ts';
import { whyNotBound } from '../runtime/why-not-bound.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { issuesText } from './read.ts';
import { routeJson } from './route-text.ts';

/** How soon an address that could not be had is tried again. */
const RETRY_MS = 2000;

interface Parts {
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class AdminPort {
  readonly #parts: Parts;
  readonly #version: string;
  #admin: Admin | null = null;
  #key = '';
  #url: string | null = null;
  #work: Promise<void> = Promise.resolve();
  #retry: Timer | null = null;

  constructor(parts: Parts, version: string) {
    this.#parts = parts;
    this.#version = version;
  }

  /** Null where the configuration has no admin address, or it could not be had. */
  get url(): string | null {
    return this.#url;
  }

  /** Moves the server if the configuration in force names another address or token. */
  follow(gateway: Gateway): void {
    const wanted = gateway.snapshot.config.admin;
    const key = JSON.stringify(wanted);
    if (key === this.#key) return;
    this.#key = key;
    this.#work = this.#work.then(() => this.#move(gateway));
  }

  /** Resolves when the last move is done. */
  settled(): Promise<void> {
    return this.#work;
  }

  async close(): Promise<void> {
    await this.#work;
    this.#retry?.cancel();
    await this.#admin?.close();
  }

  async #move(gateway: Gateway, first = true): Promise<void> {
    await this.#admin?.close();
    this.#admin = null;
    this.#url = null;
    this.#retry?.cancel();
    const wanted = gateway.snapshot.config.admin;
    if (wanted === null) return;
    const { host, port, token } = wanted;
    const { log } = this.#parts;
    const name = host.includes(':') ? `[${host}]` : host;
    const admin = createAdmin({ host, port, token, sources: this.#sources(gateway), log });
    try {
      await admin.listen();
    } catch (error) {
      // Traffic matters more than its metrics: the gateway serves on, and tries again.
      if (first) {
        const { why, remedy } = whyNotBound(error, port);
        log.error(`no metrics and no probes for now: cannot listen on ${name}:${port}: ${why}`, { remedy });
      }
      this.#retry = systemClock.after(RETRY_MS, () => {
        this.#work = this.#work.then(() => this.#move(gateway, false));
      });
      return;
    }
    this.#admin = admin;
    this.#url = `http://${name}:${admin.port}`;
    if (!first) log.info('the admin server listens now', { url: this.#url });
  }

  #sources(gateway: Gateway): AdminSources {
    return {
      metrics: () => {
        gateway.measure();
        return this.#parts.metrics.render();
      },
      ready: () => gateway.ready(),
      routes: () => gateway.snapshot.plan.routes.map(routeJson),
      upstreams: () => gateway.describeUpstreams(),
      endpoints: () => gateway.describeEndpoints(),
      push: () => gateway.push,
      config: () => redact(gateway.snapshot.config, gateway.loaded.secrets),
      version: () => ({ version: this.#version, node: process.version, configuration: gateway.hash }),
      reload: () => reload(gateway),
    };
  }
}

const reload = async (gateway: Gateway) => {
  try {
    await gateway.reload();
    return { ok: true, message: 'the configuration is in force' };
  } catch (error) {
    if (!(error instanceof ConfigRefused)) throw error;
    return { ok: false, message: issuesText(error.issues, error.loaded) };
  }
};
