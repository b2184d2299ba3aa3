/** Upstreams found by DNS, with a real name server: what its records mean, and how long they are believed. */
import { createSocket } from 'node:dgram';
import { decode, encode } from 'dns-packet';
import { expect, onTestFinished, test } from 'vitest';
import { DnsClient } from '../../src/clients/dns.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { CONSUL_MISSING, startConsul } from '../kit/consul.ts';
import { describeWith } from '../kit/describe-with.ts';
import { DNSMASQ_MISSING, startDnsmasq } from '../kit/dnsmasq.ts';
import { until } from '../kit/gateway.ts';
import { openRegistry } from '../kit/registry.ts';

const SRV = 'srv-host=_orders._tcp.test';

const open = (ports: readonly number[]) =>
  openRegistry('dns', { address: ports.map((port) => `127.0.0.1:${port}`), timeout: '300ms' });

describeWith('dns', DNSMASQ_MISSING, () => {
  test('SRV gives addresses, ports and weights of the first priority', async () => {
    const { port } = await startDnsmasq([
      'host-record=a.test,127.0.0.1',
      'host-record=b.test,127.0.0.2',
      `${SRV},a.test,8001,10,5`,
      `${SRV},b.test,8002,10,0`,
      `${SRV},a.test,8003,20,7`,
    ]);
    const follow = open([port]).follow('_orders._tcp.test');
    await until(() => follow.last !== null, 'an answer');
    expect(follow.shown).toEqual(['127.0.0.1:8001 5', '127.0.0.2:8002 1']);
    expect(follow.last!.map(({ metadata }) => metadata.target).sort()).toEqual(['a.test', 'b.test']);
  });

  test('a name gives all its addresses of both families, with the port after it or beside it', async () => {
    const { port } = await startDnsmasq([
      'host-record=orders.test,127.0.0.1,::1',
      'host-record=orders.test,127.0.0.2',
    ]);
    const registry = open([port]);
    const after = registry.follow('orders.test:9000');
    const beside = registry.follow('orders.test', { port: 9001, protocol: 'https' });
    const neither = registry.follow('orders.test', { protocol: 'https' });
    await until(() => [after, beside, neither].every((each) => each.last?.length === 3), 'three addresses');
    expect(after.shown).toEqual(['127.0.0.1:9000 1', '127.0.0.2:9000 1', '[::1]:9000 1']);
    expect(beside.last!.map(({ scheme, port: own }) => `${scheme} ${own}`)).toEqual(
      Array(3).fill('https 9001'),
    );
    expect(neither.last![0]!.port).toBe(443);
  });

  test('a name that is not there is an empty answer; a server that knows nothing of it fails', async () => {
    const { port } = await startDnsmasq([]);
    const registry = open([port]);
    const gone = registry.follow('_nobody._tcp.test');
    await until(() => gone.last !== null, 'an answer');
    expect([gone.last, gone.failures]).toEqual([[], []]);
    const elsewhere = registry.follow('orders.example');
    await until(() => elsewhere.failures.length > 0, 'a failure');
    expect(elsewhere.failures[0]!.message).toBe(`127.0.0.1:${port} answers REFUSED`);
    expect(elsewhere.last).toBeNull();
  });

  test('an answer is believed as long as its TTL says', async () => {
    const { port, serve } = await startDnsmasq(['host-record=orders.test,127.0.0.1'], 4);
    const follow = open([port]).follow('orders.test:80');
    await until(() => follow.last !== null, 'an answer');
    const before = performance.now();
    await serve(['host-record=orders.test,127.0.0.1,1', 'host-record=orders.test,127.0.0.9,1']);
    await until(() => follow.last!.length === 2, 'the new answer');
    expect(performance.now() - before).toBeGreaterThan(2500);
    const after = performance.now();
    await serve(['host-record=orders.test,127.0.0.1,1']);
    await until(() => follow.last!.length === 1, 'the newer answer');
    expect(performance.now() - after).toBeLessThan(2500);
  });

  test('an answer that is too long for a datagram comes over TCP', async () => {
    const records = Array.from({ length: 120 }, (_, at) => `${SRV},here.test,${9000 + at},0,1`);
    const { port } = await startDnsmasq(['host-record=here.test,127.0.0.1', ...records]);
    const follow = open([port]).follow('_orders._tcp.test');
    await until(() => follow.last !== null || follow.failures.length > 0, 'an answer');
    expect(follow.failures).toEqual([]);
    expect(follow.last).toHaveLength(120);
  });

  test('a server that is silent or gone is passed over for the next', async () => {
    const { port } = await startDnsmasq(['host-record=orders.test,127.0.0.1']);
    const silent = await startDnsmasq([]);
    silent.process.freeze();
    onTestFinished(() => silent.process.thaw());
    const follow = open([silent.port, 1, port]).follow('orders.test:80');
    await until(() => follow.last !== null, 'an answer');
    expect([follow.shown, follow.failures]).toEqual([['127.0.0.1:80 1'], []]);
  });
});

test('an answer to another question is not taken', async () => {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const asked = decode(message);
    const answer = (id: number, name: string) =>
      encode({
        type: 'response',
        id,
        questions: [{ type: 'A', name }],
        answers: [{ type: 'A', name, ttl: 1, data: '10.6.6.6' }],
      });
    socket.send(answer(asked.id! ^ 1, 'orders.test'), from.port, from.address);
    socket.send(answer(asked.id!, 'other.test'), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  onTestFinished(() => void socket.close());
  const client = new DnsClient({
    servers: [{ host: '127.0.0.1', port: socket.address().port }],
    timeoutMs: 100,
    clock: systemClock,
    random: systemRandom,
  });
  await expect(client.ask('orders.test', 'A')).rejects.toThrow('does not answer');
});

describeWith('dns of Consul', CONSUL_MISSING, () => {
  test('its services are found by SRV, with their weights, and follow it within seconds', async () => {
    const consul = await startConsul();
    onTestFinished(() => consul.close());
    const enter = (id: string, port: number, weight: number) =>
      consul.call('PUT', '/v1/agent/service/register', {
        ID: id,
        Name: 'orders',
        Address: '127.0.0.1',
        Port: port,
        Weights: { Passing: weight, Warning: 1 },
      });
    for (let at = 1; at <= 5; at++) await enter(`i-${at}`, 9000 + at, at);
    const settings = { address: `127.0.0.1:${consul.dnsPort}`, transport: 'tcp' };
    const follow = openRegistry('dns', settings).follow('orders.service.consul', { record: 'srv' });
    await until(() => follow.last?.length === 5, 'all five');
    expect(follow.shown).toEqual([1, 2, 3, 4, 5].map((at) => `127.0.0.1:${9000 + at} ${at}`));
    for (const at of [3, 4, 5]) await consul.call('PUT', `/v1/agent/service/deregister/i-${at}`);
    await until(() => follow.last?.length === 2, 'two');
    await consul.call('PUT', '/v1/agent/service/deregister/i-2');
    await until(() => follow.last?.length === 1, 'one');
    await consul.call('PUT', '/v1/agent/service/deregister/i-1');
    await until(() => follow.last?.length === 0, 'none, which is an answer too');
    expect(follow.failures).toEqual([]);
  });
});
