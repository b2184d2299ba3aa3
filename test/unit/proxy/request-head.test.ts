import { describe, expect, test } from 'vitest';
import { prepareRequest } from '../../../src/proxy/request-head.ts';
import { createExchange, type ExchangeOptions } from '../../kit/proxy.ts';

const KEEP = { hostHeader: 'keep', viaName: 'snowgate' };

const prepared = (o: ExchangeOptions, options = KEEP, traceparent: string | null = null) => {
  const { x } = createExchange(o);
  x.traceparent = traceparent;
  prepareRequest(x, options);
  return x.request;
};

const SPOOFED = {
  'x-forwarded-for': '1.1.1.1',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '443',
  'x-forwarded-prefix': '/admin',
  'x-forwarded-user': 'root',
  x_forwarded_for: '1.1.1.1',
  'x-forwarded_for': '1.1.1.1',
  'x-real-ip': '1.1.1.1',
  'x-trace-id': '99',
  forwarded: 'for=1.1.1.1',
};

test('a stranger is told of by what we saw, and nothing that it made up goes on', () => {
  const { fields } = prepared({ fields: { ...SPOOFED, 'x-forwarder': 'mine', accept: '*/*' } });
  expect({ ...fields }).toEqual({
    accept: '*/*',
    'x-forwarder': 'mine',
    'x-forwarded-for': '192.0.2.7',
    'x-forwarded-host': 'shop.example',
    'x-forwarded-proto': 'http',
    'x-forwarded-port': '80',
    forwarded: 'for=192.0.2.7;host=shop.example;proto=http',
    'x-trace-id': '7205759403792793600',
    via: '1.1 snowgate',
  });
});

test('what came stays as it came', () => {
  const { x } = createExchange({ fields: SPOOFED });
  prepareRequest(x, KEEP);
  expect(x.received.fields['x-forwarded-for']).toBe('1.1.1.1');
});

test('a trusted proxy has its chain continued and its view of the client kept', () => {
  const { fields } = prepared({
    fields: {
      'x-forwarded-for': ['203.0.113.5', '10.0.0.2'],
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'www.shop.example',
      'x-forwarded-prefix': '/shop',
      forwarded: 'for=203.0.113.5;proto=https',
      'x-trace-id': '99',
    },
    peer: '10.0.0.3',
    client: { address: '203.0.113.5', trusted: true, scheme: 'https' },
  });
  expect(fields['x-forwarded-for']).toBe('203.0.113.5, 10.0.0.2, 10.0.0.3');
  expect(fields['x-forwarded-proto']).toBe('https');
  expect(fields['x-forwarded-host']).toBe('www.shop.example');
  expect(fields['x-forwarded-port']).toBe('443');
  expect(fields['x-forwarded-prefix']).toBe('/shop');
  expect(fields.forwarded).toBe('for=203.0.113.5;proto=https, for=10.0.0.3;host=shop.example;proto=http');
  expect(fields['x-trace-id']).toBe('7205759403792793600');
});

test.each([
  ['2001:db8::1', 'shop.example', 'for="[2001:db8::1]";host=shop.example;proto=http', '80'],
  ['::ffff:192.0.2.9', 'shop.example:8080', 'for=192.0.2.9;host="shop.example:8080";proto=http', '8080'],
  ['192.0.2.9', '[::1]:8080', 'for=192.0.2.9;host="[::1]:8080";proto=http', '8080'],
  ['192.0.2.9', '[::1]', 'for=192.0.2.9;host="[::1]";proto=http', '80'],
])('Forwarded for %s at %s', (peer, authority, forwarded, port) => {
  const { fields } = prepared({ peer, authority });
  expect(fields.forwarded).toBe(forwarded);
  expect(fields['x-forwarded-port']).toBe(port);
});

test('nothing of the client’s connection goes upstream', () => {
  const { fields } = prepared({
    fields: {
      connection: 'x-secret, keep-alive, content-length',
      'x-secret': '1',
      'keep-alive': 'timeout=5',
      'proxy-connection': 'keep-alive',
      'proxy-authorization': 'Basic eA==',
      'transfer-encoding': 'chunked',
      'content-length': '3',
      'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA',
      upgrade: 'h2c',
      expect: '100-continue',
      te: 'gzip, trailers',
    },
  });
  expect(fields.te).toBe('trailers');
  expect(fields['content-length']).toBe('3');
  for (const name of [
    'connection',
    'x-secret',
    'keep-alive',
    'proxy-connection',
    'proxy-authorization',
    'transfer-encoding',
    'http2-settings',
    'upgrade',
    'expect',
  ]) {
    expect(fields[name], name).toBeUndefined();
  }
});

test('a te without trailers goes', () => {
  expect(prepared({ fields: { te: 'gzip;q=0.5' } }).fields.te).toBeUndefined();
  expect(prepared({ fields: { te: 'x-trailers' } }).fields.te).toBeUndefined();
});

describe('the trace', () => {
  const OURS = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const THEIRS = '00-11111111111111111111111111111111-2222222222222222-01';

  test('continued keeps the vendors’ state', () => {
    const fields = { traceparent: OURS.replace('b7ad', 'c000'), tracestate: 'a=1' };
    const sent = prepared({ fields }, KEEP, OURS).fields;
    expect(sent.traceparent).toBe(OURS);
    expect(sent.tracestate).toBe('a=1');
  });

  test('begun here has none', () => {
    const sent = prepared({ fields: { traceparent: THEIRS, tracestate: 'a=1' } }, KEEP, OURS).fields;
    expect(sent.traceparent).toBe(OURS);
    expect(sent.tracestate).toBeUndefined();
  });

  test('not continued goes no further', () => {
    const sent = prepared({ fields: { traceparent: THEIRS, tracestate: 'a=1' } }).fields;
    expect(sent.traceparent).toBeUndefined();
    expect(sent.tracestate).toBeUndefined();
  });
});

test('the Host is the client’s, or the name that the route gives', () => {
  expect(prepared({}).authority).toBe('shop.example');
  expect(prepared({}, { hostHeader: 'upstream', viaName: 'g' }).authority).toBe('shop.example');
  expect(prepared({}, { hostHeader: 'orders.internal', viaName: 'g' }).authority).toBe('orders.internal');
});
