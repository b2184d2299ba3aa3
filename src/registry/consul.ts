/** The Consul registry: each service followed by blocking queries, and the gateway's own entry at the agent. */
import type { z } from 'zod';
import { ConsulClient, type ConsulParams } from '../clients/consul.ts';
import { consul as form } from '../config/registries/consul.ts';
import type { SelfRegistration } from '../config/types.ts';
import { consulInstances, endpointsOf } from './consul-instances.ts';
import { hasMetadata } from './entry.ts';
import { keepEntered } from './keep-entered.ts';
import { ownMetadata } from './metadata.ts';
import {
  type Registry,
  type RegistryListener,
  type RegistryParts,
  registryKind,
  type ServiceQuery,
} from './registry.ts';

type Options = z.output<z.ZodObject<typeof form.options>>;
type Discover = z.output<z.ZodObject<typeof form.discover>>;

/** Consul takes no shorter time after which it forgets an instance whose check fails. */
const LEAST_FORGET_MS = 60_000;
const MOST_WAIT_MS = 600_000;

const paramsOf = (options: Discover): ConsulParams => {
  const { tag = [], datacenter, namespace, partition, filter } = options;
  const single = { dc: datacenter, ns: namespace, partition, filter };
  return [
    ...tag.map((each) => ['tag', each] as const),
    ...Object.entries(single).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
  ];
};

class ConsulRegistry implements Registry<Discover> {
  readonly #options: Options;
  readonly #parts: RegistryParts;
  readonly #client: ConsulClient;

  constructor(options: Options, parts: RegistryParts) {
    this.#options = options;
    this.#parts = parts;
    const { clock, random, tls } = parts;
    this.#client = new ConsulClient({
      addresses: options.address,
      token: options.token ?? null,
      tls,
      clock,
      random,
    });
  }

  watch({ service, options }: ServiceQuery<Discover>, to: RegistryListener) {
    const query = {
      path: `/v1/health/service/${encodeURIComponent(service)}`,
      params: paramsOf(options),
      shape: consulInstances,
      waitMs: Math.min(this.#options.wait, MOST_WAIT_MS),
      staleMs: this.#options.stale ?? 0,
    };
    return this.#client.follow(query, {
      answer: (instances, withheld) => {
        if (instances.length === 0 && withheld)
          throw new Error(
            `the token may not see the service ${service}: it needs service:read and node:read`,
          );
        to.endpoints(
          endpointsOf(instances, options.secure).filter((each) => hasMetadata(each, options.metadata)),
        );
      },
      failed: (error) => to.failed(error),
    });
  }

  register(self: SelfRegistration) {
    const { id, service, endpoint, metadata, healthUrl, ttlMs } = self;
    const everyMs = ttlMs / 3;
    const check = {
      CheckID: `service:${id}`,
      DeregisterCriticalServiceAfter: `${Math.max(ttlMs, LEAST_FORGET_MS)}ms`,
      ...(healthUrl === null
        ? { TTL: `${ttlMs}ms`, Status: 'passing' }
        : { HTTP: healthUrl, Interval: `${everyMs}ms`, Timeout: `${everyMs}ms` }),
    };
    const entry = {
      ID: id,
      Name: service,
      Address: endpoint.host,
      Port: endpoint.port,
      Meta: ownMetadata(metadata, endpoint),
      Weights: { Passing: Math.max(1, endpoint.weight), Warning: 1 },
      Check: check,
    };
    const at = `/v1/agent`;
    const name = encodeURIComponent(id);
    return keepEntered(self, this.#parts, everyMs, {
      enter: async () => {
        if (!(await this.#client.call('PUT', `${at}/service/register`, entry)))
          throw new Error('the agent knows no way to register');
      },
      confirm: () =>
        healthUrl === null
          ? this.#client.call('PUT', `${at}/check/pass/service:${name}`)
          : this.#client.call('GET', `${at}/service/${name}`),
      leave: async () => void (await this.#client.call('PUT', `${at}/service/deregister/${name}`)),
    });
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

export const consulKind = registryKind(form, (options, parts) => new ConsulRegistry(options, parts));
