/** Eureka as a registry server: started once and emptied between tests, since it takes some seconds to start. */
import { onTestFinished } from 'vitest';
import type { Instance, RegistryAdapter } from '../conformance/registries.ts';
import { EUREKA_MISSING, startEureka, type TestEureka } from './eureka.ts';
import { httpAnswer, startRubbish } from './rubbish.ts';

let shared: TestEureka | null = null;

/** Ends the server; for the end of the file that used it. */
export const closeSharedEureka = async (): Promise<void> => {
  await shared?.close();
  shared = null;
};

const runningEureka = async (): Promise<TestEureka> => {
  shared ??= await startEureka();
  if (!shared.server.running) await shared.server.start();
  return shared;
};

const entryOf = (service: string, { id, port, weight }: Instance) => ({
  instance: {
    instanceId: id,
    app: service.toUpperCase(),
    hostName: '127.0.0.1',
    ipAddr: '127.0.0.1',
    status: 'UP',
    port: { $: port, '@enabled': 'true' },
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
    leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 90 },
    metadata: { weight: String(weight) },
  },
});

export const eurekaAdapter: RegistryAdapter = {
  name: 'eureka',
  skip: EUREKA_MISSING,
  // Its own response cache and a look every half second.
  trouble: 'all',
  delayMs: 5_000,
  // 10 s for an answer.
  noticeMs: 11_000,
  async start() {
    const eureka = await runningEureka();
    const entered = new Map<string, string>();
    let endRubbish = async () => {};
    const pathOf = (service: string, id: string) => `/apps/${service.toUpperCase()}/${id}`;
    onTestFinished(async () => {
      await endRubbish();
      eureka.server.thaw();
      // What a test has left; a server that was killed has forgotten it.
      if (eureka.server.running)
        for (const path of entered.values()) await eureka.call('DELETE', path).catch(() => null);
    });
    return {
      settings: `type: eureka, address: ${eureka.url}, interval: 500ms`,
      async put(service, instance) {
        entered.set(instance.id, pathOf(service, instance.id));
        await eureka.call('POST', `/apps/${service.toUpperCase()}`, entryOf(service, instance));
      },
      drain: async (service, id) =>
        void (await eureka.call('PUT', `${pathOf(service, id)}/status?value=OUT_OF_SERVICE`)),
      async remove(service, id) {
        entered.delete(id);
        await eureka.call('DELETE', pathOf(service, id));
      },
      faults: {
        kill: eureka.server.kill,
        freeze: async () => eureka.server.freeze(),
        thaw: async () => eureka.server.thaw(),
        async restartEmpty() {
          await endRubbish();
          await eureka.server.kill();
          await eureka.server.start();
        },
        async rubbish() {
          await eureka.server.kill();
          endRubbish = await startRubbish(
            Number(new URL(eureka.url).port),
            httpAnswer('{"applications": 7}'),
          );
        },
      },
    };
  },
};
