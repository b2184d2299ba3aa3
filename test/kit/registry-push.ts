/** The gateway as its own registry: each instance sends heartbeats until it is taken away. */
import { onTestFinished } from 'vitest';
import type { Instance, RegistryAdapter } from '../conformance/registries.ts';
import type { TestGateway } from './gateway.ts';

const TTL_MS = 1000;

export const pushAdapter: RegistryAdapter = {
  name: 'push',
  skip: null,
  trouble: 'none',
  // The TTL of a second that a silent instance stays.
  delayMs: 2500,
  noticeMs: 0,
  async start() {
    const alive = new Map<string, { service: string; instance: Instance }>();
    let gateway: TestGateway | null = null;
    const beat = async () => {
      for (const { service, instance } of alive.values()) {
        const { id, port, weight } = instance;
        const endpoint = {
          scheme: 'http',
          host: '127.0.0.1',
          port,
          weight,
          zone: null,
          metadata: {},
          id,
        } as const;
        await gateway?.gateway.push?.put(service, endpoint, TTL_MS);
      }
    };
    const beats = setInterval(() => void beat(), TTL_MS / 4);
    onTestFinished(() => clearInterval(beats));
    const nothing = async () => undefined;
    return {
      settings: 'type: push, drain: 300ms',
      attach: (to) => {
        gateway = to;
      },
      async put(service, instance) {
        alive.set(`${service}/${instance.id}`, { service, instance });
        await beat();
      },
      async drain(service, id) {
        alive.delete(`${service}/${id}`);
        await gateway!.gateway.push!.remove(service, id);
      },
      remove: async (service, id) => void alive.delete(`${service}/${id}`),
      faults: { kill: nothing, freeze: nothing, thaw: nothing, restartEmpty: nothing, rubbish: nothing },
    };
  },
};
