/** A gateway that enters itself in a registry: found by others while it serves, gone before it stops. */
import { expect, onTestFinished, test } from 'vitest';
import { describeWith } from '../kit/describe-with.ts';
import { startTestGateway, until } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { freePorts } from '../kit/server-process.ts';
import { startZooKeeper, ZOOKEEPER_MISSING, zooKeeperHands } from '../kit/zookeeper.ts';

const begin = async () => {
  const zookeeper = await startZooKeeper();
  onTestFinished(() => zookeeper.close());
  const [address = ''] = zookeeper.addresses;
  const hands = zooKeeperHands(address);
  onTestFinished(() => hands.close());
  return { address, hands };
};

describeWith('self', ZOOKEEPER_MISSING, () => {
  test('others find it, and lose no request when it stops', async () => {
    const { address } = await begin();
    const origin = await startOrigin();
    const [port = 0] = await freePorts(1);
    const inner = await startTestGateway(`
listen: 127.0.0.1:${port}
shutdown: { delay: 1s }
registries:
  zookeeper: { address: "${address}", register: { service: inner, id: gw-1, address: "http://127.0.0.1:${port}" } }
routes: [{ path: /**, upstream: "${origin.url}" }]
`);
    const spare = await startOrigin();
    const outer = await startTestGateway(`
registries:
  zookeeper: { address: "${address}" }
upstreams:
  inner: { discover: zookeeper/inner, failover: spare }
  spare: { targets: ["${spare.url}"] }
routes: [{ path: /**, upstream: inner }]
`);
    const used = () =>
      outer.gateway.describeUpstreams().find((each) => each.name === 'inner')!.endpoints.length;
    await until(() => used() === 1, 'the entry');
    expect((await outer.ask('/')).body).toBe(String(origin.port));

    const statuses: number[] = [];
    let asking = true;
    const load = (async () => {
      while (asking) statuses.push((await outer.ask('/')).status);
    })();
    await inner.gateway.stop();
    asking = false;
    await load;
    expect(statuses.length).toBeGreaterThan(10);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });

  test('a reload keeps the entry, a change of it makes another, and without it there is none', async () => {
    const { address, hands } = await begin();
    const yaml = (id: string) => `
registries:
  zookeeper: { address: "${address}", register: { service: gw, id: ${id}, address: "http://127.0.0.1:1" } }
routes: [{ path: /**, upstream: "http://127.0.0.1:1" }]
`;
    const gateway = await startTestGateway(yaml('one'));
    const entered = () => gateway.log.filter((line) => line.msg === 'the gateway is entered in the registry');
    await until(() => entered().length === 1, 'an entry');
    expect(await hands.exists('/services/gw/one')).toBe(true);
    await gateway.edit(`${yaml('one')}log: { level: info }\n`);
    await gateway.edit(yaml('two'));
    await until(() => entered().length === 2, 'another entry');
    expect(await hands.exists('/services/gw/two')).toBe(true);
    await gateway.edit('routes: [{ path: /**, upstream: "http://127.0.0.1:1" }]');
    for (const id of ['one', 'two']) {
      let there = true;
      const look = async () => {
        there = await hands.exists(`/services/gw/${id}`);
      };
      await look();
      await until(() => {
        void look();
        return !there;
      }, `${id} to go`);
    }
  });

  test('a change of what it says of itself leaves the entry there, changed', async () => {
    const { address, hands } = await begin();
    const yaml = (weight: number) => `
registries:
  zookeeper: { address: "${address}", register: { service: gw, id: one, address: "http://127.0.0.1:1", weight: ${weight} } }
routes: [{ path: /**, upstream: "http://127.0.0.1:1" }]
`;
    const gateway = await startTestGateway(yaml(1));
    const entered = () => gateway.log.filter((line) => line.msg === 'the gateway is entered in the registry');
    await until(() => entered().length === 1, 'an entry');
    await gateway.edit(yaml(7));
    await until(() => entered().length === 2, 'the changed entry');
    expect(gateway.log.filter((line) => line.msg === 'the gateway has left the registry').length).toBe(1);
    expect(await hands.read('/services/gw/one')).toContain('"weight":"7"');
  });

  test('a registry that is down keeps nobody from starting and stopping', async () => {
    const [port = 0] = await freePorts(1);
    const before = performance.now();
    const gateway = await startTestGateway(`
registries:
  zookeeper: { address: "127.0.0.1:${port}", register: { service: gw, address: "http://127.0.0.1:1" } }
routes: [{ path: /**, upstream: "http://127.0.0.1:1" }]
`);
    expect(performance.now() - before).toBeLessThan(3000);
    const stopping = performance.now();
    await gateway.gateway.stop();
    expect(performance.now() - stopping).toBeLessThan(9000);
  });
});
