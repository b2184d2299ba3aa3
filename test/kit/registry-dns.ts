/** dnsmasq as a registry server: instances are SRV records, and a change is a restart. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Instance, RegistryAdapter } from '../conformance/registries.ts';
import { DNSMASQ_MISSING, startDnsmasq } from './dnsmasq.ts';

export const dnsAdapter: RegistryAdapter = {
  name: 'dns, with dnsmasq',
  skip: DNSMASQ_MISSING,
  trouble: 'all',
  // Its TTL of a second, and the while that it is away for a change.
  delayMs: 5000,
  noticeMs: 5000,
  async start() {
    let services = new Map<string, Map<string, Instance>>();
    const records = () => [
      'host-record=here.test,127.0.0.1',
      ...[...services].flatMap(([service, instances]) =>
        [...instances.values()].map(
          ({ port, weight }) => `srv-host=_${service}._tcp.test,here.test,${port},0,${weight}`,
        ),
      ),
    ];
    const server = await startDnsmasq(records());
    const of = (service: string) => services.getOrInsertComputed(service, () => new Map<string, Instance>());
    let rubbish: Socket | null = null;
    return {
      settings: `type: dns, address: "127.0.0.1:${server.port}", timeout: 300ms`,
      discover: (registry, service) => `${registry}/_${service}._tcp.test`,
      async put(service, instance) {
        of(service).set(instance.id, instance);
        await server.serve(records());
      },
      drain: null,
      async remove(service, id) {
        of(service).delete(id);
        await server.serve(records());
      },
      faults: {
        kill: () => server.process.kill(),
        freeze: async () => server.process.freeze(),
        thaw: async () => server.process.thaw(),
        async restartEmpty() {
          services = new Map();
          if (rubbish !== null) await once(rubbish.close(), 'close');
          rubbish = null;
          server.prepare(records());
          await server.process.start();
        },
        async rubbish() {
          await server.process.kill();
          const socket = createSocket('udp4');
          socket.on('message', (_message, from) => socket.send('rubbish', from.port, from.address));
          socket.bind(server.port, '127.0.0.1');
          await once(socket, 'listening');
          rubbish = socket;
        },
      },
    };
  },
};
