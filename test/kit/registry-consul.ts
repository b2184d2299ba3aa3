/** Consul as a registry server, by its HTTP API or by its DNS: instances are entered at its agent. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import type { RegistryAdapter, RegistryServer } from '../conformance/registries.ts';
import { CONSUL_MISSING, startConsul, type TestConsul } from './consul.ts';
import { httpAnswer, startRubbish } from './rubbish.ts';

type End = () => Promise<unknown>;

const agent = '/v1/agent/service';

/** The hands and faults of an agent, whoever is asked for what it knows. */
const serverOf = (
  consul: TestConsul,
  startNonsense: () => Promise<End>,
): Pick<RegistryServer, 'put' | 'remove' | 'faults'> => {
  let endNonsense: End = async () => {};
  onTestFinished(async () => void (await endNonsense()));
  return {
    put: async (service, { id, port, weight }) =>
      void (await consul.call('PUT', `${agent}/register`, {
        ID: id,
        Name: service,
        Address: '127.0.0.1',
        Port: port,
        Weights: { Passing: weight, Warning: 1 },
      })),
    remove: async (_, id) => void (await consul.call('PUT', `${agent}/deregister/${id}`)),
    faults: {
      kill: consul.server.kill,
      freeze: async () => consul.server.freeze(),
      thaw: async () => consul.server.thaw(),
      async restartEmpty() {
        await endNonsense();
        endNonsense = async () => {};
        await consul.server.kill();
        await consul.server.start();
      },
      async rubbish() {
        await consul.server.kill();
        endNonsense = await startNonsense();
      },
    },
  };
};

const start = async (): Promise<TestConsul> => {
  const consul = await startConsul();
  onTestFinished(consul.close);
  return consul;
};

export const consulAdapter: RegistryAdapter = {
  name: 'consul',
  skip: CONSUL_MISSING,
  trouble: 'all',
  delayMs: 1_500,
  // A wait of 1 s, a sixteenth of that, and 5 s of grace.
  noticeMs: 7_000,
  async start() {
    const consul = await start();
    const port = Number(new URL(consul.url).port);
    return {
      ...serverOf(consul, () => startRubbish(port, httpAnswer('[{"Node": 7}]'))),
      settings: `type: consul, address: ${consul.url}, wait: 1s`,
      drain: async (_, id) => void (await consul.call('PUT', `${agent}/maintenance/${id}?enable=true`)),
    };
  },
};

export const consulDnsAdapter: RegistryAdapter = {
  name: 'dns, with consul',
  skip: CONSUL_MISSING,
  trouble: 'all',
  // Its TTL of 0 is taken for a second.
  delayMs: 5_000,
  noticeMs: 5_000,
  async start() {
    const consul = await start();
    const startNonsense = async (): Promise<End> => {
      const socket = createSocket('udp4');
      socket.on('message', (_message, from) => socket.send('rubbish', from.port, from.address));
      socket.bind(consul.dnsPort, '127.0.0.1');
      await once(socket, 'listening');
      return () => once(socket.close(), 'close');
    };
    return {
      ...serverOf(consul, startNonsense),
      settings: `type: dns, address: "127.0.0.1:${consul.dnsPort}", timeout: 300ms`,
      discover: (registry, service) =>
        `{ registry: ${registry}, service: ${service}.service.consul, record: srv }`,
      drain: null,
    };
  },
};
