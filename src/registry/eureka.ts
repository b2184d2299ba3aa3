/** The Eureka registry: one copy of the server's list for all services, and the gateway's own entry in it. */
import type { z } from 'zod';
import { EurekaClient } from '../clients/eureka.ts';
import { eureka as form } from '../config/registries/eureka.ts';
import type { SelfRegistration } from '../config/types.ts';
import { hasMetadata } from './entry.ts';
import { endpointsOf } from './eureka-instances.ts';
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

/** The entry as the REST API wants it. */
const entryOf = ({ id, service, endpoint, metadata, healthUrl, ttlMs }: SelfRegistration) => {
  const secure = endpoint.scheme === 'https';
  return {
    instance: {
      instanceId: id,
      app: service.toUpperCase(),
      hostName: endpoint.host,
      ipAddr: endpoint.host,
      vipAddress: service,
      secureVipAddress: service,
      status: 'UP',
      port: { $: endpoint.port, '@enabled': String(!secure) },
      securePort: { $: endpoint.port, '@enabled': String(secure) },
      ...(healthUrl !== null && { healthCheckUrl: healthUrl }),
      // The server takes no entry without it.
      dataCenterInfo: {
        '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
        name: 'MyOwn',
      },
      leaseInfo: {
        renewalIntervalInSecs: Math.max(1, Math.floor(ttlMs / 3_000)),
        durationInSecs: Math.max(1, Math.ceil(ttlMs / 1_000)),
      },
      metadata: ownMetadata(metadata, endpoint),
    },
  };
};

class EurekaRegistry implements Registry<Discover> {
  readonly #parts: RegistryParts;
  readonly #client: EurekaClient;

  constructor(options: Options, parts: RegistryParts) {
    this.#parts = parts;
    const { clock, random, tls } = parts;
    this.#client = new EurekaClient({
      addresses: options.address,
      intervalMs: options.interval,
      tls,
      clock,
      random,
    });
  }

  watch({ service, options }: ServiceQuery<Discover>, to: RegistryListener) {
    return this.#client.follow(service, {
      updated: (instances) =>
        to.endpoints(endpointsOf(instances, options).filter((each) => hasMetadata(each, options.metadata))),
      failed: (error) => to.failed(error),
    });
  }

  register(self: SelfRegistration) {
    const app = `/apps/${encodeURIComponent(self.service.toUpperCase())}`;
    const instance = `${app}/${encodeURIComponent(self.id)}`;
    return keepEntered(self, this.#parts, self.ttlMs / 3, {
      enter: async () => {
        if (!(await this.#client.call('POST', app, entryOf(self))))
          throw new Error('there is no Eureka at this address');
      },
      confirm: () => this.#client.call('PUT', instance),
      leave: async () => void (await this.#client.call('DELETE', instance)),
    });
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

export const eurekaKind = registryKind(form, (options, parts) => new EurekaRegistry(options, parts));
