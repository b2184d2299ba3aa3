/** The DNS registry: asks a name again whenever the time is over for which its answer is true. */
import type { z } from 'zod';
import { createBackoff, pause } from '../clients/backoff.ts';
import { DnsClient, systemServers } from '../clients/dns.ts';
import { dns as form } from '../config/registries/dns.ts';
import { addressEndpoints, type Found, srvEndpoints } from './dns-endpoints.ts';
import {
  type Registry,
  type RegistryListener,
  type RegistryParts,
  registryKind,
  type ServiceQuery,
} from './registry.ts';

type Options = z.output<z.ZodObject<typeof form.options>>;
type Discover = z.output<z.ZodObject<typeof form.discover>>;

/** A TTL of 0 must not make a storm of questions, and one of a day must not hide a change for a day. */
const LEAST_MS = 1000;
const MOST_MS = 300_000;
/** Where the answer says nothing of it. */
const UNSAID_MS = 5000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

const find = (client: DnsClient, { service, options }: ServiceQuery<Discover>): Promise<Found> => {
  const { record, protocol } = options;
  const [, name = service, after] = /^(.*?)(?::(\d+))?$/.exec(service) ?? [];
  if (record === 'srv' || (record === 'auto' && name.startsWith('_')))
    return srvEndpoints(client, name, protocol);
  const port = options.port ?? (after === undefined ? (protocol === 'https' ? 443 : 80) : Number(after));
  return addressEndpoints(client, name, { port, scheme: protocol });
};

const waitMs = (ttlSeconds: number | null): number =>
  ttlSeconds === null ? UNSAID_MS : Math.min(MOST_MS, Math.max(LEAST_MS, ttlSeconds * 1000));

class DnsRegistry implements Registry<Discover> {
  readonly #parts: RegistryParts;
  readonly #client: DnsClient;
  readonly #closing = new AbortController();

  constructor({ address, timeout, transport }: Options, parts: RegistryParts) {
    this.#parts = parts;
    const { clock, random } = parts;
    this.#client = new DnsClient({
      servers: address ?? systemServers(),
      timeoutMs: timeout,
      transport,
      clock,
      random,
    });
  }

  watch(query: ServiceQuery<Discover>, to: RegistryListener) {
    const closing = new AbortController();
    void this.#follow(query, to, AbortSignal.any([closing.signal, this.#closing.signal]));
    return { close: () => closing.abort() };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#client.close();
  }

  async #follow(query: ServiceQuery<Discover>, to: RegistryListener, over: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts;
    const backoff = createBackoff(random, FIRST_RETRY_MS, LAST_RETRY_MS);
    while (!over.aborted) {
      const found = await find(this.#client, query).catch((error: Error) => error);
      if (over.aborted) return;
      if (found instanceof Error) {
        to.failed(found);
        await pause(clock, backoff.nextMs(), over);
      } else {
        to.endpoints(found.endpoints);
        backoff.reset();
        await pause(clock, waitMs(found.ttlSeconds), over);
      }
    }
  }
}

export const dnsKind = registryKind(form, (options, parts) => new DnsRegistry(options, parts));
