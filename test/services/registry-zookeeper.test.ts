/** The ZooKeeper registry against real servers: what it reads of nodes, and sessions that are lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../kit/describe-with.ts';
import { until } from '../kit/gateway.ts';
import { openRegistry } from '../kit/registry.ts';
import {
  startZooKeeper,
  type TestZooKeeper,
  ZOOKEEPER_MISSING,
  type ZooKeeperHands,
  zooKeeperHands,
} from '../kit/zookeeper.ts';

/** As the form reads them. */
const settingsFor = ({ addresses }: TestZooKeeper, more: object = {}) => ({
  address: [...addresses],
  session: '3s',
  ...more,
});

/** What Curator's JsonInstanceSerializer writes. */
const curator = (id: string, port: number, more: object = {}) =>
  JSON.stringify({
    name: 'orders',
    id,
    address: '127.0.0.1',
    port,
    sslPort: null,
    payload: null,
    registrationTimeUTC: 1_780_000_000_000,
    serviceType: 'DYNAMIC',
    uriSpec: { parts: [{ value: 'scheme', variable: true }] },
    enabled: true,
    ...more,
  });

describeWith('zookeeper', ZOOKEEPER_MISSING, () => {
  let zookeeper: TestZooKeeper;
  let hands: ZooKeeperHands;
  beforeAll(async () => {
    zookeeper = await startZooKeeper();
    hands = zooKeeperHands(zookeeper.addresses[0]!);
  });
  afterAll(async () => {
    hands?.close();
    await zookeeper?.close();
  });

  let services = 0;
  const newService = () => `orders-${++services}`;

  test('a service that comes, its instances, their weights and their end are told', async () => {
    const service = newService();
    const follow = openRegistry('zookeeper', settingsFor(zookeeper)).follow(service);
    await until(() => follow.last?.length === 0, 'an empty answer');
    await hands.put(`/services/${service}/a`, curator('a', 8001));
    await until(() => follow.shown.join() === '127.0.0.1:8001 1', 'one');
    await hands.put(`/services/${service}/b`, curator('b', 8002));
    await until(() => follow.shown.length === 2, 'two');
    await hands.put(`/services/${service}/a`, curator('a', 8001, { payload: { weight: 5 } }));
    await until(() => follow.shown.join() === '127.0.0.1:8001 5,127.0.0.1:8002 1', 'a weight');
    await hands.put(`/services/${service}/b`, curator('b', 8002, { enabled: false }));
    await until(() => follow.shown.join() === '127.0.0.1:8001 5,127.0.0.1:8002 0', 'one that drains');
    await hands.remove(`/services/${service}/b`);
    await hands.remove(`/services/${service}/a`);
    await until(() => follow.last?.length === 0, 'none');
    await hands.remove(`/services/${service}`);
    await hands.put(`/services/${service}/c`, curator('c', 8003));
    await until(() => follow.shown.join() === '127.0.0.1:8003 1', 'one again');
    expect(follow.failures).toEqual([]);
  });

  test("Curator's JSON, Spring's payload, host:port, URLs and bare names are read", async () => {
    const service = newService();
    const payload = {
      '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
      metadata: { zone: 'north', weight: '3', team: 'x' },
    };
    const nodes: Record<string, string> = {
      spring: curator('s-1', 8001, { payload }),
      secure: curator('s-2', 8002, { port: null, sslPort: 8443 }),
      plain: '127.0.0.1:8003\n',
      url: 'https://127.0.0.1:8004',
      '127.0.0.1:8005': '',
    };
    for (const [name, data] of Object.entries(nodes)) await hands.put(`/services/${service}/${name}`, data);
    const { follow } = openRegistry('zookeeper', settingsFor(zookeeper));
    const all = follow(service);
    await until(() => all.last?.length === 5, 'five');
    const found = Object.fromEntries((all.last ?? []).map((each) => [each.id, each]));
    expect(found['s-1']).toMatchObject({ weight: 3, zone: 'north', scheme: 'http' });
    expect(found['s-1']?.metadata).toEqual({ zone: 'north', weight: '3', team: 'x' });
    expect(found['s-2']).toMatchObject({ scheme: 'https', port: 8443 });
    expect(found.plain).toMatchObject({ scheme: 'http', host: '127.0.0.1', port: 8003 });
    expect(found.url).toMatchObject({ scheme: 'https', port: 8004 });
    expect(found['127.0.0.1:8005']).toMatchObject({ port: 8005 });
    const some = follow(service, { metadata: { team: 'x' } });
    await until(() => some.last?.length === 1, 'one');
  });

  test('a node that cannot be read is told and keeps what it said last; none that can be read is a failure', async () => {
    const service = newService();
    await hands.put(`/services/${service}/a`, curator('a', 8001));
    await hands.put(`/services/${service}/b`, 'nonsense');
    const { follow, log } = openRegistry('zookeeper', settingsFor(zookeeper));
    const watch = follow(service);
    await until(() => watch.shown.join() === '127.0.0.1:8001 1', 'the good one');
    expect(log.map(({ fields }) => (fields as { reason: string }).reason)).toEqual([
      `/services/${service}/b is neither JSON nor host:port: nonsense`,
    ]);
    await hands.put(`/services/${service}/a`, '{"address": 7}');
    await until(() => log.length === 2, 'a second warning');
    expect(watch.shown).toEqual(['127.0.0.1:8001 1']);
    const late = follow(service);
    await until(() => late.failures.length > 0, 'a failure');
    expect(late.last).toBeNull();
    expect(late.failures[0]?.message).toMatch(/^\/services\/orders-\d+\/[ab] is /);
  });

  test('nodes closed to others are read with the right user, and are a failure without', async () => {
    const service = newService();
    const [a, b] = [
      openRegistry(
        'zookeeper',
        settingsFor(zookeeper, { digest: { user: 'gateway', password: 'secret' } }),
      ).follow(service),
      openRegistry(
        'zookeeper',
        settingsFor(zookeeper, { digest: { user: 'gateway', password: 'wrong' } }),
      ).follow(service),
    ];
    await hands.put(`/services/${service}/a`, curator('a', 8001));
    await hands.reserve(`/services/${service}`, 'gateway:secret');
    await until(() => a.last?.length === 1, 'an endpoint');
    await hands.put(`/services/${service}/b`, curator('b', 8002));
    await until(() => a.last?.length === 2, 'two endpoints');
    await until(() => b.failures.length > 0, 'a failure');
    expect(b.failures[0]?.message).toMatch(/NO_AUTH/);
  });

  test('the gateway enters itself and leaves; its node goes with its session too', async () => {
    const service = newService();
    const { registry, follow } = openRegistry('zookeeper', settingsFor(zookeeper));
    const watch = follow(service);
    const self = {
      service,
      id: 'gateway-1',
      endpoint: { scheme: 'http', host: '127.0.0.1', port: 8080, weight: 4, zone: 'north' },
      metadata: {},
      healthUrl: null,
      ttlMs: 30_000,
    } as const;
    const entered = await registry.register?.(self);
    await until(() => watch.shown.join() === '127.0.0.1:8080 4', 'the entry');
    expect(watch.last?.[0]).toMatchObject({ id: 'gateway-1', zone: 'north' });
    await hands.remove(`/services/${service}/gateway-1`);
    await until(() => watch.last?.length === 0, 'no entry');
    await until(() => watch.last?.length === 1, 'the entry again');
    await entered?.deregister();
    await until(() => watch.last?.length === 0, 'no entry after all');
    await registry.register?.(self);
    expect(await hands.exists(`/services/${service}/gateway-1`)).toBe(true);
    await registry.close();
    expect(await hands.exists(`/services/${service}/gateway-1`)).toBe(false);
  });
});
