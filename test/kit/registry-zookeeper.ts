/** ZooKeeper as a registry server: instances are nodes in Curator's form. */
import { onTestFinished } from 'vitest';
import type { RegistryAdapter } from '../conformance/registries.ts';
import { startRubbish } from './rubbish.ts';
import { startZooKeeper, withZooKeeper, ZOOKEEPER_MISSING } from './zookeeper.ts';

const nodeOf = (id: string, port: number, weight: number, enabled: boolean): string =>
  JSON.stringify({ name: 'orders', id, address: '127.0.0.1', port, payload: { weight }, enabled });

export const zookeeperAdapter: RegistryAdapter = {
  name: 'zookeeper',
  skip: ZOOKEEPER_MISSING,
  trouble: 'all',
  delayMs: 1_500,
  // Two thirds of a session of 2 s, and what a third of it may be late.
  noticeMs: 3_000,
  async start() {
    const zookeeper = await startZooKeeper();
    onTestFinished(zookeeper.close);
    const [address = ''] = zookeeper.addresses;
    const [server] = zookeeper.servers;
    const ports = new Map<string, number>();
    let endRubbish = async () => {};
    onTestFinished(() => endRubbish());
    const write = (service: string, id: string, node: string) =>
      withZooKeeper(address, (hands) => hands.put(`/services/${service}/${id}`, node));
    return {
      settings: `type: zookeeper, address: "${address}", session: 2s`,
      async put(service, { id, port, weight }) {
        ports.set(id, port);
        await write(service, id, nodeOf(id, port, weight, true));
      },
      drain: (service, id) => write(service, id, nodeOf(id, ports.get(id) ?? 0, 1, false)),
      remove: (service, id) => withZooKeeper(address, (hands) => hands.remove(`/services/${service}/${id}`)),
      faults: {
        kill: async () => server?.kill(),
        freeze: async () => server?.freeze(),
        thaw: async () => server?.thaw(),
        async restartEmpty() {
          await endRubbish();
          await zookeeper.restartEmpty();
        },
        async rubbish() {
          await server?.kill();
          // Read as a length it is 1.2 GB.
          endRubbish = await startRubbish(Number(address.split(':')[1]), 'HTTP/1.1 200 OK\r\n\r\n');
        },
      },
    };
  },
};
