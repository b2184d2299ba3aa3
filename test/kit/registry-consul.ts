/** Consul as a registry server: instances are entered at its agent. */
import { onTestFinished } from 'vitest';
import type { RegistryAdapter } from '../conformance/registries.ts';
import { CONSUL_MISSING, startConsul } from './consul.ts';
import { httpAnswer, startRubbish } from './rubbish.ts';

export const consulAdapter: RegistryAdapter = {
  name: 'consul',
  skip: CONSUL_MISSING,
  trouble: 'all',
  delayMs: 1_500,
  // A wait of 1 s, a sixteenth of that, and 5 s of grace.
  noticeMs: 7_000,
  async start() {
    const consul = await startConsul();
    onTestFinished(consul.close);
    let endRubbish = async () => {};
    onTestFinished(() => endRubbish());
    const agent = '/v1/agent/service';
    return {
      settings: `type: consul, address: ${consul.url}, wait: 1s`,
      put: async (service, { id, port, weight }) =>
        void (await consul.call('PUT', `${agent}/register`, {
          ID: id,
          Name: service,
          Address: '127.0.0.1',
          Port: port,
          Weights: { Passing: weight, Warning: 1 },
        })),
      drain: async (_, id) => void (await consul.call('PUT', `${agent}/maintenance/${id}?enable=true`)),
      remove: async (_, id) => void (await consul.call('PUT', `${agent}/deregister/${id}`)),
      faults: {
        kill: consul.server.kill,
        freeze: async () => consul.server.freeze(),
        thaw: async () => consul.server.thaw(),
        async restartEmpty() {
          await endRubbish();
          await consul.server.kill();
          await consul.server.start();
        },
        async rubbish() {
          await consul.server.kill();
          endRubbish = await startRubbish(Number(new URL(consul.url).port), httpAnswer('[{"Node": 7}]'));
        },
      },
    };
  },
};
