/** Keeps the admin server at the address that the configuration in force names. */
import { type Admin, createAdmin } from '../admin/admin.ts';
import type { AdminSources } from '../admin/sources.ts';
import { redact } from '../config/redact.ts';
import { ConfigRefused, type Gateway } from '../runtime/gateway.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { issuesText } from './read.ts';
import { routeJson } from './route-text.ts';

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
    await this.#admin?.close();
  }

  async #move(gateway: Gateway): Promise<void> {
    await this.#admin?.close();
    this.#admin = null;
    this.#url = null;
    const wanted = gateway.snapshot.config.admin;
    if (wanted === null) return;
    const { host, port, token } = wanted;
    const { log } = this.#parts;
    const admin = createAdmin({ host, port, token, sources: this.#sources(gateway), log });
    try {
      await admin.listen();
    } catch (error) {
      // Traffic matters more than its metrics: the gateway serves on.
      log.error('the admin server cannot listen', { host, port, error });
      return;
    }
    this.#admin = admin;
    this.#url = `http://${host.includes(':') ? `[${host}]` : host}:${admin.port}`;
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
      version: () => ({ version: this.#version, node: process.version }),
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
