/** The ZooKeeper registry: one session for all services, and the gateway's own entry as a node that lives with it. */
import type { z } from 'zod';
import { ZooKeeperSession } from '../clients/zookeeper.ts';
import { zookeeper as form } from '../config/registries/zookeeper.ts';
import type { SelfRegistration } from '../config/types.ts';
import { hasMetadata } from './entry.ts';
import { keepEntered } from './keep-entered.ts';
import {
  type Registry,
  type RegistryListener,
  type RegistryParts,
  registryKind,
  type ServiceQuery,
} from './registry.ts';
import { readNode, writeNode } from './zookeeper-node.ts';
import { ZooKeeperService } from './zookeeper-service.ts';

type Options = z.output<z.ZodObject<typeof form.options>>;
type Discover = z.output<z.ZodObject<typeof form.discover>>;

/** A look at our own node costs nothing; the sooner it is seen that a session took it away, the better. */
const CONFIRM_MS = 2_000;
/** How long a try to enter waits for the session to begin. */
const READY_MS = 2_000;

class ZooKeeperRegistry implements Registry<Discover> {
  readonly #root: string;
  readonly #parts: RegistryParts;
  readonly #session: ZooKeeperSession;
  readonly #services = new Set<ZooKeeperService>();

  constructor(options: Options, parts: RegistryParts) {
    this.#parts = parts;
    this.#root = options.root === '/' ? '' : options.root;
    const { digest } = options;
    this.#session = new ZooKeeperSession({
      servers: options.address,
      sessionMs: options.session,
      digest: digest === undefined ? null : `${digest.user}:${digest.password}`,
      clock: parts.clock,
      random: parts.random,
    });
  }

  watch({ service, options }: ServiceQuery<Discover>, to: RegistryListener) {
    const follower = new ZooKeeperService({
      session: this.#session,
      path: `${this.#root}/${service}`,
      read: (name, data) => readNode(name, data, options.secure),
      to: {
        endpoints: (list) => to.endpoints(list.filter((each) => hasMetadata(each, options.metadata))),
        failed: (error) => to.failed(error),
      },
      parts: this.#parts,
    });
    this.#services.add(follower);
    return {
      close: () => {
        this.#services.delete(follower);
        follower.close();
      },
    };
  }

  register(self: SelfRegistration) {
    const session = this.#session;
    const path = `${this.#root}/${self.service}/${self.id.replaceAll('/', '-')}`;
    return keepEntered(self, this.#parts, Math.min(CONFIRM_MS, self.ttlMs / 3), {
      enter: async () => {
        await session.ready(READY_MS);
        // One of an earlier process of ours may be left; it would go when that one's session runs out.
        await session.remove(path);
        await session.create(path, writeNode(self, this.#parts.clock.wallMs()), 'ephemeral');
      },
      confirm: () => session.exists(path),
      leave: async () => void (await session.remove(path)),
    });
  }

  async close(): Promise<void> {
    for (const follower of this.#services) follower.close();
    this.#services.clear();
    await this.#session.close();
  }
}

export const zookeeperKind = registryKind(form, (options, parts) => new ZooKeeperRegistry(options, parts));
