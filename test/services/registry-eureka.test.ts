/** The Eureka registry against a real server: what it reads of instances, deltas, and a server that forgot. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { describeWith } from '../kit/describe-with.ts';
import { EUREKA_MISSING, startEureka, type TestEureka } from '../kit/eureka.ts';
import { until } from '../kit/gateway.ts';
import { openRegistry } from '../kit/registry.ts';
import { startRelay } from '../kit/relay.ts';
import { httpAnswer, startRubbish } from '../kit/rubbish.ts';
import { freePorts } from '../kit/server-process.ts';

describeWith('eureka', EUREKA_MISSING, () => {
  let eureka: TestEureka;
  beforeAll(async () => {
    eureka = await startEureka();
  });
  afterAll(() => eureka?.close());

  let services = 0;
  const newService = () => `orders-${++services}`;
  const enter = (service: string, id: string, port: number, more: object = {}) =>
    eureka.call('POST', `/apps/${service.toUpperCase()}`, {
      instance: {
        instanceId: id,
        app: service.toUpperCase(),
        hostName: 'localhost',
        ipAddr: '127.0.0.1',
        vipAddress: service,
        status: 'UP',
        port: { $: port, '@enabled': 'true' },
        securePort: { $: port + 1000, '@enabled': 'false' },
        dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
        leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 90 },
        metadata: {},
        ...more,
      },
    });
  const leave = (service: string, id: string) =>
    eureka.call('DELETE', `/apps/${service.toUpperCase()}/${id}`);
  const open = (settings: object = {}) =>
    openRegistry('eureka', { address: eureka.url, interval: '500ms', ...settings });

  test('endpoints come, change their weight, drain and vanish', async () => {
    const service = newService();
    const follow = open().follow(service);
    await until(() => follow.last?.length === 0, 'an empty answer');
    await enter(service, 'a', 8001, { metadata: { weight: '3', zone: 'north', '@class': 'java.util.Map' } });
    await until(() => follow.last?.length === 1, 'an endpoint');
    expect(follow.last).toEqual([
      {
        id: 'a',
        scheme: 'http',
        host: 'localhost',
        port: 8001,
        weight: 3,
        zone: 'north',
        metadata: { weight: '3', zone: 'north' },
      },
    ]);
    await enter(service, 'b', 8002);
    await until(() => follow.shown.join() === 'localhost:8001 3,localhost:8002 1', 'two');
    await enter(service, 'a', 8001, { metadata: { weight: '5' } });
    await until(() => follow.shown[0] === 'localhost:8001 5', 'a weight');
    const status = `/apps/${service.toUpperCase()}/b/status`;
    await eureka.call('PUT', `${status}?value=OUT_OF_SERVICE`);
    await until(() => follow.shown[1] === 'localhost:8002 0', 'one that drains');
    await eureka.call('PUT', `${status}?value=DOWN`);
    await until(() => follow.shown.join() === 'localhost:8001 5', 'one');
    await eureka.call('DELETE', `${status}?value=UP`);
    await until(() => follow.shown.length === 2, 'two again');
    await leave(service, 'a');
    await leave(service, 'b');
    await until(() => follow.last?.length === 0, 'none');
    expect(follow.failures).toEqual([]);
  });

  test('secure ports, addresses and metadata choose how an instance is reached, and whether', async () => {
    const service = newService();
    const on = { '@enabled': 'true' };
    const off = { '@enabled': 'false' };
    await enter(service, 'both', 8001, { securePort: { $: 8443, ...on }, metadata: { team: 'x' } });
    await enter(service, 'secure', 8002, { port: { $: 8002, ...off }, securePort: { $: 8444, ...on } });
    await enter(service, 'plain', 8003);
    await enter(service, 'neither', 8004, { port: { $: 8004, ...off } });
    const { follow } = open();
    const shown = async (count: number, options: Record<string, unknown>) => {
      const watch = follow(service, options);
      await until(() => watch.last?.length === count, `${count} endpoints`);
      return (watch.last ?? []).map(({ scheme, host, port }) => `${scheme}://${host}:${port}`).sort();
    };
    expect(await shown(3, { prefer: 'ip' })).toEqual([
      'http://127.0.0.1:8001',
      'http://127.0.0.1:8003',
      'https://127.0.0.1:8444',
    ]);
    expect(await shown(2, { secure: true })).toEqual(['https://localhost:8443', 'https://localhost:8444']);
    expect(await shown(1, { metadata: { team: 'x' } })).toEqual(['http://localhost:8001']);
  });

  test('after the first look only changes are fetched, until the hash says that some were missed', async () => {
    const service = newService();
    await enter(service, 'a', 8001);
    const relay = await startRelay(Number(new URL(eureka.url).port));
    const paths = () => relay.said.map((text) => /^GET (\S+)/.exec(text)?.[1]);
    const follow = open({ address: `http://127.0.0.1:${relay.port}/eureka` }).follow(service);
    await until(() => follow.answers >= 4, 'four answers');
    expect(paths().slice(0, 4)).toEqual(['/eureka/apps', ...Array(3).fill('/eureka/apps/delta')]);
    // What is missed for longer than the server remembers changes is as if it had been made elsewhere: here, by a
    // server that was restarted and knows only what came after that.
    const before = paths().length;
    await eureka.server.kill();
    await eureka.server.start();
    await enter(service, 'b', 8002);
    await until(() => follow.shown.join() === 'localhost:8002 1', 'the new list');
    expect(paths().slice(before)).toContain('/eureka/apps');
  });

  test('the next server is asked when one is gone or ill', async () => {
    const service = newService();
    await enter(service, 'a', 8001);
    const [nobody = 0, ill = 0] = await freePorts(2);
    onTestFinished(await startRubbish(ill, 'HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n'));
    const address = [`http://127.0.0.1:${nobody}/eureka`, `http://127.0.0.1:${ill}/eureka`, eureka.url];
    const follow = open({ address }).follow(service);
    await until(() => follow.last?.length === 1, 'an endpoint');
    expect(follow.failures).toEqual([]);
  });

  test('rubbish is a failure that says where, and never an answer', async () => {
    const [port = 0] = await freePorts(1);
    const follow = open({ address: `http://127.0.0.1:${port}/eureka` }).follow('orders');
    const seen = async (bytes: string, wanted: RegExp) => {
      const stop = await startRubbish(port, bytes);
      await until(() => follow.failures.some((error) => wanted.test(error.message)), String(wanted));
      await stop();
    };
    await seen(httpAnswer('<applications/>'), /\/eureka\/apps: the answer is no JSON/);
    await seen(httpAnswer('{"applications": {}}'), /another shape at applications\.apps__hashcode/);
    await seen('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n', /it answered 404/);
    await seen('no HTTP at all\r\n\r\n', /\/eureka\/apps: .*Expected HTTP/);
    expect(follow.last).toBeNull();
  });

  test('a user and password of the address are sent, and never told', async () => {
    const relay = await startRelay(Number(new URL(eureka.url).port));
    const follow = open({ address: `http://gate:pass%21@127.0.0.1:${relay.port}/eureka` }).follow('orders');
    await until(() => follow.answers > 0, 'an answer');
    expect(relay.said[0]).toMatch(new RegExp(`^authorization: Basic ${btoa('gate:pass!')}\\r$`, 'm'));
    const [nobody] = await freePorts(1);
    const failing = open({ address: `http://gate:pass%21@127.0.0.1:${nobody}/eureka` }).follow('orders');
    await until(() => failing.failures.length > 0, 'a failure');
    expect(failing.failures[0]?.message).not.toMatch(/gate|pass/);
  });

  test('the gateway enters itself, is entered again by a server that forgot it, and leaves', async () => {
    const service = newService();
    const { registry, follow, log } = open();
    const watch = follow(service);
    const entered = await registry.register?.({
      service,
      id: 'gateway-1',
      endpoint: { scheme: 'https', host: '127.0.0.1', port: 8443, weight: 4, zone: 'north' },
      metadata: { team: 'edge' },
      healthUrl: null,
      ttlMs: 3_000,
    });
    await until(() => watch.shown.join() === '127.0.0.1:8443 4', 'the entry');
    expect(watch.last?.[0]).toMatchObject({ id: 'gateway-1', scheme: 'https', zone: 'north' });
    await leave(service, 'gateway-1');
    const entries = () =>
      log.filter(({ message }) => message === 'the gateway is entered in the registry').length;
    await until(() => entries() === 2, 'a second entry');
    // Three times its lease: heartbeats keep it.
    await new Promise((resolve) => setTimeout(resolve, 9_000));
    expect(watch.shown).toEqual(['127.0.0.1:8443 4']);
    await entered?.deregister();
    await until(() => watch.last?.length === 0, 'no entry');
  });
});
