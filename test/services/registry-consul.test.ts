/** The Consul registry against a real agent: what it reads of instances, access control, and losing its place. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { RegistryTls } from '../../src/registry/registry.ts';
import { CONSUL_MISSING, startConsul, type TestConsul } from '../kit/consul.ts';
import { describeWith } from '../kit/describe-with.ts';
import { until } from '../kit/gateway.ts';
import { certificates } from '../kit/origin-tls.ts';
import { openRegistry } from '../kit/registry.ts';
import { httpAnswer, startRubbish } from '../kit/rubbish.ts';
import { freePorts } from '../kit/server-process.ts';

describeWith('consul', CONSUL_MISSING, () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startConsul();
  });
  afterAll(() => consul?.close());

  let services = 0;
  const newService = () => `orders-${++services}`;
  const enter = (service: string, id: string, port: number, more: object = {}) =>
    consul.call('PUT', '/v1/agent/service/register', {
      ID: `${service}-${id}`,
      Name: service,
      Port: port,
      Address: '127.0.0.1',
      ...more,
    });
  const open = (settings: object = {}) =>
    openRegistry('consul', { address: consul.url, wait: '1s', ...settings });

  test('endpoints come with weight, protocol, zone and metadata', async () => {
    const service = newService();
    const follow = open().follow(service);
    await until(() => follow.last?.length === 0, 'an empty answer');
    await enter(service, 'a', 8001, {
      Weights: { Passing: 7, Warning: 2 },
      Meta: { protocol: 'https', zone: 'north', version: '2' },
    });
    await until(() => follow.last?.length === 1, 'an endpoint');
    expect(follow.last).toEqual([
      {
        id: expect.stringMatching(new RegExp(`^.+/${service}-a$`)),
        scheme: 'https',
        host: '127.0.0.1',
        port: 8001,
        weight: 7,
        zone: 'north',
        metadata: { protocol: 'https', zone: 'north', version: '2' },
      },
    ]);
  });

  test('an instance without an address of its own is where its node is', async () => {
    const service = newService();
    await enter(service, 'a', 8001, { Address: '' });
    const follow = open().follow(service);
    await until(() => follow.last?.length === 1, 'an endpoint');
    expect(follow.shown).toEqual(['127.0.0.1:8001 1']);
  });

  test('a warning takes the weight for warnings, maintenance drains, a critical check takes away', async () => {
    const service = newService();
    const follow = open().follow(service);
    const check = { CheckID: `ttl-${service}`, TTL: '60s', Status: 'passing' };
    await enter(service, 'a', 8001, { Weights: { Passing: 9, Warning: 3 }, Check: check });
    await until(() => follow.shown[0] === '127.0.0.1:8001 9', 'weight 9');
    await consul.call('PUT', `/v1/agent/check/warn/${check.CheckID}`);
    await until(() => follow.shown[0] === '127.0.0.1:8001 3', 'weight 3');
    await consul.call('PUT', `/v1/agent/check/pass/${check.CheckID}`);
    await consul.call('PUT', `/v1/agent/service/maintenance/${service}-a?enable=true`);
    await until(() => follow.shown[0] === '127.0.0.1:8001 0', 'weight 0');
    await consul.call('PUT', `/v1/agent/check/fail/${check.CheckID}`);
    await until(() => follow.last?.length === 0, 'no endpoint');
    await consul.call('PUT', `/v1/agent/check/pass/${check.CheckID}`);
    await consul.call('PUT', `/v1/agent/service/maintenance/${service}-a?enable=false`);
    await until(() => follow.shown[0] === '127.0.0.1:8001 9', 'weight 9 again');
  });

  test('tags, metadata and an expression choose among the instances', async () => {
    const service = newService();
    await enter(service, 'a', 8001, { Tags: ['v1', 'eu'], Meta: { team: 'x' } });
    await enter(service, 'b', 8002, { Tags: ['v2', 'eu'], Meta: { team: 'x' } });
    await enter(service, 'c', 8003, { Tags: ['v2', 'us'], Meta: { team: 'y' } });
    const { follow } = open();
    const shown = async (options: Record<string, unknown>) => {
      const watch = follow(service, options);
      await until(() => watch.last !== null, 'an answer');
      return watch.shown.map((each) => each.slice(10, 14));
    };
    expect(await shown({})).toEqual(['8001', '8002', '8003']);
    expect(await shown({ tag: 'v2' })).toEqual(['8002', '8003']);
    expect(await shown({ tag: ['v2', 'eu'] })).toEqual(['8002']);
    expect(await shown({ metadata: { team: 'x' } })).toEqual(['8001', '8002']);
    expect(await shown({ filter: 'Service.Meta.team == y' })).toEqual(['8003']);
    expect(await shown({ datacenter: 'dc1', secure: true })).toEqual(['8001', '8002', '8003']);
  });

  test('what Consul refuses is told with its words, and what another datacenter says too', async () => {
    const { follow } = open();
    const wrong = follow('orders', { filter: 'Service.Meta.team ==' });
    const elsewhere = follow('orders', { datacenter: 'mars' });
    await until(() => wrong.failures.length > 0 && elsewhere.failures.length > 0, 'failures');
    expect(wrong.failures[0]?.message).toMatch(
      /^http:\S+: it answered 500, Failed to create boolean expression/,
    );
    expect(elsewhere.failures[0]?.message).toMatch(/: it answered 500, No path to datacenter/);
    expect([wrong.last, elsewhere.last]).toEqual([null, null]);
  });

  test('an answer comes again when nothing has changed, since that is news', async () => {
    const service = newService();
    await enter(service, 'a', 8001);
    const follow = open().follow(service);
    await until(() => follow.answers >= 3, 'three answers');
    expect(follow.shown).toEqual(['127.0.0.1:8001 1']);
  });

  test('the next agent is asked when one is gone', async () => {
    const service = newService();
    await enter(service, 'a', 8001);
    const [nobody] = await freePorts(1);
    const follow = open({ address: [`http://127.0.0.1:${nobody}`, consul.url] }).follow(service);
    await until(() => follow.last?.length === 1, 'an endpoint');
    expect(follow.failures).toEqual([]);
  });

  test('rubbish is a failure that says where, and never an answer', async () => {
    const [port = 0] = await freePorts(1);
    const follow = open({ address: `http://127.0.0.1:${port}` }).follow('orders');
    const seen = async (bytes: string, wanted: RegExp) => {
      const stop = await startRubbish(port, bytes);
      await until(() => follow.failures.some((error) => wanted.test(error.message)), String(wanted));
      await stop();
    };
    await seen(httpAnswer('<html>'), /\/v1\/health\/service\/orders: the answer is no JSON/);
    await seen(httpAnswer('[{"Node": {}}]'), /the answer has another shape at 0\.Node\.Node/);
    await seen(httpAnswer('[]'), /there is no X-Consul-Index/);
    await seen(httpAnswer('[]', 'x-consul-index: many'), /there is no X-Consul-Index/);
    await seen(httpAnswer('', 'location: /elsewhere').replace('200 OK', '302 Found'), /it answered 302/);
    await seen(`HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n${'x'.repeat(34_000_000)}`, /larger than/);
    expect(follow.last).toBeNull();
  });

  test('the gateway enters itself, is entered again by an agent that forgot it, and leaves', async () => {
    const own = await startConsul();
    onTestFinished(own.close);
    const service = newService();
    const { registry, follow, log } = openRegistry('consul', { address: own.url, wait: '1s' });
    const watch = follow(service);
    const entered = await registry.register?.({
      service,
      id: 'gateway-1',
      endpoint: { scheme: 'https', host: '127.0.0.1', port: 8443, weight: 4, zone: 'north' },
      metadata: { team: 'edge' },
      healthUrl: null,
      ttlMs: 1_500,
    });
    await until(() => watch.last?.length === 1, 'the entry');
    expect(watch.last?.[0]).toMatchObject({ scheme: 'https', port: 8443, weight: 4, zone: 'north' });
    expect(watch.last?.[0]?.metadata).toMatchObject({ team: 'edge' });
    await own.server.kill();
    await own.server.start();
    const entries = () =>
      log.filter(({ message }) => message === 'the gateway is entered in the registry').length;
    await until(() => entries() === 2, 'a second entry');
    const answers = watch.answers;
    await until(() => watch.answers > answers && watch.shown[0] === '127.0.0.1:8443 4', 'the entry again');
    await entered?.deregister();
    await until(() => watch.last?.length === 0, 'no entry');
  });

  test('where a URL says how the gateway is, Consul asks it, and believes what it says', async () => {
    const service = newService();
    let status = 200;
    const health = createServer((_, answer) => void answer.writeHead(status).end());
    await new Promise<void>((resolve) => health.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void health.close());
    const { registry, follow } = open();
    const watch = follow(service);
    const entered = await registry.register?.({
      service,
      id: `${service}-gateway`,
      endpoint: { scheme: 'http', host: '127.0.0.1', port: 8080, weight: 2, zone: null },
      metadata: {},
      healthUrl: `http://127.0.0.1:${(health.address() as AddressInfo).port}/readyz`,
      ttlMs: 3_000,
    });
    await until(() => watch.shown.join() === '127.0.0.1:8080 2', 'the entry');
    status = 503;
    await until(() => watch.last?.length === 0, 'no entry while it is not ready');
    status = 200;
    await until(() => watch.last?.length === 1, 'the entry again');
    await entered?.deregister();
    await until(() => watch.last?.length === 0, 'no entry');
  });
});

describeWith('consul with access control', CONSUL_MISSING, () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startConsul({ managementToken: 'e95b599e-166e-7d80-08ad-aee76e7ddf19' });
    await consul.call('PUT', '/v1/agent/service/register', { ID: 'a', Name: 'orders', Port: 8001 });
  });
  afterAll(() => consul?.close());

  const tokenFor = async (rules: string): Promise<string> => {
    const policy = (await consul.call('PUT', '/v1/acl/policy', {
      Name: `p${rules.length}`,
      Rules: rules,
    })) as {
      ID: string;
    };
    const token = await consul.call('PUT', '/v1/acl/token', { Policies: [{ ID: policy.ID }] });
    return (token as { SecretID: string }).SecretID;
  };

  test('a token that may read sees the service; one that may not is a failure, not an empty service', async () => {
    const reads = await tokenFor('service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }');
    const reader = openRegistry('consul', { address: consul.url, wait: '1s', token: reads }).follow('orders');
    await until(() => reader.last?.length === 1, 'an endpoint');
    const blind = openRegistry('consul', {
      address: consul.url,
      wait: '1s',
      token: await tokenFor('node_prefix "" { policy = "read" }'),
    }).follow('orders');
    await until(() => blind.failures.length > 0, 'a failure');
    expect(blind.failures[0]?.message).toMatch(/the token may not see the service orders/);
    expect(blind.last).toBeNull();
    const unknown = openRegistry('consul', { address: consul.url, token: 'x-not-a-token' }).follow('orders');
    await until(() => unknown.failures.length > 0, 'a failure');
    expect(unknown.failures[0]?.message).toMatch(/it answered 403, ACL not found/);
    expect(unknown.failures[0]?.message).not.toContain('x-not-a-token');
  });
});

describeWith('consul over TLS', CONSUL_MISSING, () => {
  let consul: TestConsul;
  beforeAll(async () => {
    const { ca, server } = certificates();
    consul = await startConsul({ https: { ca, ...server } });
    await consul.call('PUT', '/v1/agent/service/register', { ID: 'a', Name: 'orders', Port: 8001 });
  });
  afterAll(() => consul?.close());

  const follow = (settings: Partial<RegistryTls> | null) => {
    const { ca, client } = certificates();
    const tls = { ca, ...client, serverName: null, verify: true };
    const parts = { tls: settings && { ...tls, ...settings } };
    return openRegistry('consul', { address: consul.httpsUrl, wait: '1s' }, parts).follow('orders');
  };

  test('with the authority and a certificate of its own it sees the service', async () => {
    const watch = follow({});
    await until(() => watch.last?.length === 1, 'an endpoint');
  });

  test('an authority that is not trusted, a wrong name and a missing certificate are failures', async () => {
    const reasons: [Partial<RegistryTls> | null, RegExp][] = [
      [null, /self-signed certificate|unable to (get|verify)/],
      [{ serverName: 'other.example' }, /not in the cert's altnames|does not match/i],
      [{ cert: null, key: null }, /other side closed|alert|ECONNRESET/],
    ];
    for (const [settings, reason] of reasons) {
      const watch = follow(settings);
      await until(() => watch.failures.length > 0, String(reason));
      expect(watch.failures[0]?.message).toMatch(reason);
      expect(watch.last).toBeNull();
    }
  });

  test('without verification any server will do, as the file says', async () => {
    const watch = follow({ ca: null, verify: false });
    await until(() => watch.last?.length === 1, 'an endpoint');
  });
});

describeWith('consul that loses its memory', CONSUL_MISSING, () => {
  test('the index of a new history, lower than ours, is not waited for', async () => {
    const consul = await startConsul();
    onTestFinished(consul.close);
    const enter = (port: number) =>
      consul.call('PUT', '/v1/agent/service/register', { ID: 'a', Name: 'orders', Port: port });
    for (let port = 8001; port < 8040; port++) await enter(port);
    // With a wait of 5 minutes only a query without an index can be answered in the time of this test.
    const follow = openRegistry('consul', { address: consul.url, wait: '5m' }).follow('orders');
    await until(() => follow.shown[0] === '127.0.0.1:8039 1', 'the first list');
    await consul.server.kill();
    await until(() => follow.failures.length > 0, 'a failure');
    await consul.server.start();
    await enter(9001);
    await until(() => follow.shown[0] === '127.0.0.1:9001 1', 'the list after it');
    expect(follow.last?.length).toBe(1);
  });
});
