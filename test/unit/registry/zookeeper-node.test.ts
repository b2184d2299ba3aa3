import { expect, test } from 'vitest';
import { readNode, writeNode } from '../../../src/registry/zookeeper-node.ts';

const read = (data: unknown, secureOnly = false, name = 'i-1') =>
  readNode(name, Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)), secureOnly);

test('what the gateway writes of itself it reads back as the same endpoint', () => {
  for (const scheme of ['http', 'https'] as const) {
    const endpoint = { scheme, host: '10.0.0.5', port: 8080, weight: 7, zone: 'north' };
    const self = {
      service: 'edge',
      id: 'e-1',
      endpoint,
      metadata: { team: 'x' },
      healthUrl: null,
      ttlMs: 30_000,
    };
    expect(readNode('e-1', writeNode(self, 0), false)).toEqual({
      ...endpoint,
      id: 'e-1',
      metadata: { team: 'x', protocol: scheme, weight: '7', zone: 'north' },
    });
  }
});

test('host:port in all its forms', () => {
  expect(read('10.0.0.1:80')).toMatchObject({ scheme: 'http', host: '10.0.0.1', port: 80, id: 'i-1' });
  expect(read('[::1]:80\n')).toMatchObject({ host: '::1', port: 80 });
  expect(read('https://a.example')).toMatchObject({ scheme: 'https', host: 'a.example', port: 443 });
  expect(read('', false, '10.0.0.2:81')).toMatchObject({ host: '10.0.0.2', port: 81 });
  expect(read('10.0.0.1:80', true)).toMatchObject({ scheme: 'https' });
});

test('the secure port is used where it is wanted or the only one', () => {
  const both = { address: 'h', port: 80, sslPort: 443 };
  expect(read(both)).toMatchObject({ scheme: 'http', port: 80 });
  expect(read(both, true)).toMatchObject({ scheme: 'https', port: 443 });
  expect(read({ ...both, port: null })).toMatchObject({ scheme: 'https', port: 443 });
  expect(() => read({ ...both, sslPort: null }, true)).toThrow('has no sslPort');
  expect(() => read({ address: 'h' })).toThrow('has neither port nor sslPort');
});

test('a payload of any kind is no obstacle, and a flat one is metadata', () => {
  for (const payload of [undefined, null, 'text', 7, [1], {}])
    expect(read({ address: 'h', port: 80, payload })).toMatchObject({ weight: 1, zone: null });
  expect(read({ address: 'h', port: 80, payload: { weight: 3, zone: 'a', deep: { x: 1 } } })).toMatchObject({
    weight: 3,
    zone: 'a',
    metadata: { weight: '3', zone: 'a' },
  });
});

test('rubbish is refused in words that go on after the path', () => {
  expect(() => read('{"address": 7, "port": 80}')).toThrow(/^is no instance of Curator's: address: /);
  expect(() => read('{"address"')).toThrow(/^is no JSON: /);
  expect(() => read('{"address": "h", "port": -1}')).toThrow(/^is no instance of Curator's: port: /);
  expect(() => read('nonsense')).toThrow('is neither JSON nor host:port: nonsense');
  expect(() => read(Buffer.alloc(1000, 'x').toString())).toThrow(/^is neither JSON nor host:port: x{100}$/);
});
