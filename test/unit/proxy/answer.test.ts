import { describe, expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { createWheel } from '../../../src/kernel/wheel.ts';
import { refuse, reply } from '../../../src/plugin.ts';
import { answer } from '../../../src/proxy/answer.ts';
import { errorReply } from '../../../src/proxy/problem.ts';
import type { Sink } from '../../../src/wire/body.ts';
import { createManualClock } from '../../kit/clock.ts';
import { createExchange, type ExchangeOptions, fieldsOf, HandBody } from '../../kit/proxy.ts';

const setUp = (o: ExchangeOptions = {}, maxDurationMs: number | null = null) => {
  const clock = createManualClock();
  const options = { viaName: 'snowgate', maxDurationMs, wheel: createWheel(clock) };
  return { ...createExchange({ clock, ...o }), clock, options };
};

const TRUSTED = { client: { trusted: true } };

describe('a failure', () => {
  test('is a problem document with its code and no inner detail', () => {
    const { x, down, options } = setUp();
    answer(x, errorReply(gatewayError('GW_CONNECT_REFUSED', 'connect 10.0.0.1:8080')), options);
    expect(JSON.parse(down.sink.text)).toEqual({
      type: 'urn:snowgate:error:GW_CONNECT_REFUSED',
      title: 'The upstream refused the connection.',
      status: 502,
      code: 'GW_CONNECT_REFUSED',
      traceId: x.id,
    });
    expect(down.answerLength).toBe(Buffer.byteLength(down.sink.text));
    expect({ ...down.answer!.fields }).toEqual({
      'content-type': 'application/problem+json',
      'x-trace-id': x.id,
      'proxy-status': 'snowgate; error=connection_refused; code=GW_CONNECT_REFUSED',
    });
    expect(x.status).toBe(502);
    expect(x.error?.code).toBe('GW_CONNECT_REFUSED');
    expect(down.sink.ended).toBe(1);
  });

  test('tells a trusted caller the endpoint and the detail', () => {
    const { x, down, options, clock } = setUp(TRUSTED);
    x.addAttempt('orders', '10.0.0.1:8080');
    clock.advance(3);
    x.settleAttempt(0, 'GW_TLS');
    x.upstreamMs = 2;
    answer(x, errorReply(gatewayError('GW_TLS', 'bad "cert" \\ ü')), options);
    expect(down.answer!.fields['proxy-status']).toBe(
      'snowgate; error=tls_protocol_error; code=GW_TLS; next-hop="10.0.0.1:8080"; details="bad \\"cert\\" \\\\ ?"',
    );
    expect(down.answer!.fields['server-timing']).toBe('gateway;dur=1, upstream;dur=2');
  });

  test('keeps the fields of a plugin that refused, and leaves the plugin’s own object alone', () => {
    const { x, down, options } = setUp();
    const given = refuse('GW_RATE_LIMITED', 'bucket x', { 'Retry-After': '7' });
    Object.freeze(given.fields);
    answer(x, Object.freeze(given), options);
    expect(down.answer!.status).toBe(429);
    expect(down.answer!.fields['retry-after']).toBe('7');
    expect(JSON.parse(down.sink.text).code).toBe('GW_RATE_LIMITED');
  });

  test('of room says when to come back', () => {
    const { x, down, options } = setUp();
    answer(x, errorReply(gatewayError('GW_QUEUE_FULL')), options);
    expect(down.answer!.fields['retry-after']).toBe('1');
  });

  test('is a head only for HEAD', () => {
    const { x, down, options } = setUp({ method: 'HEAD' });
    answer(x, errorReply(gatewayError('GW_NO_ROUTE')), options);
    expect(down.sink.text).toBe('');
    expect(down.sink.ended).toBe(1);
    expect(Number(down.answer!.fields['content-length'])).toBeGreaterThan(50);
  });

  test('is never put through stages that were meant for another body', () => {
    const { x, down, options } = setUp();
    x.mapResponse(() => {
      throw new Error('not for this');
    });
    answer(x, errorReply(gatewayError('GW_PLUGIN'), fieldsOf({ 'content-encoding': 'gzip' })), options);
    expect(JSON.parse(down.sink.text).code).toBe('GW_PLUGIN');
    expect(down.answer!.fields['content-encoding']).toBeUndefined();
  });
});

test('a plugin’s answer goes out as it is, without connection fields', () => {
  const { x, down, options } = setUp();
  answer(x, reply(200, { 'X-Mine': '1', 'Transfer-Encoding': 'chunked', connection: 'x' }, 'hello'), options);
  expect(down.sink.text).toBe('hello');
  expect(down.answerLength).toBe(5);
  expect({ ...down.answer!.fields }).toEqual({ 'x-mine': '1', 'x-trace-id': x.id });
});

test('bytes go through the response stages', () => {
  const { x, down, options } = setUp();
  x.mapResponse((next: Sink) => ({
    ready: null,
    write: (chunk) => next.write(Buffer.from(Buffer.from(chunk).toString().toUpperCase())),
    end: (trailers) => next.end(trailers),
    fail: (error) => next.fail(error),
  }));
  answer(x, reply(200, { 'content-length': '5' }, 'hello'), options);
  expect(down.sink.text).toBe('HELLO');
  expect(down.answerLength).toBeNull();
  expect(down.answer!.fields['content-length']).toBeUndefined();
});

describe('a body that flows', () => {
  const upstream = (body: HandBody, status = 200, fields = {}) => ({
    status,
    fields: fieldsOf(fields),
    body,
    by: 'upstream' as const,
    error: null,
  });

  test('passes with our Via, its own length and its trailers', () => {
    const { x, down, options } = setUp();
    const body = new HandBody(5);
    answer(x, upstream(body, 200, { via: '1.0 old', 'content-length': '5' }), options);
    expect(down.answer!.fields).toMatchObject({ via: '1.0 old, 1.1 snowgate', 'content-length': '5' });
    expect(down.answerLength).toBe(5);
    down.sink.takesMore = false;
    expect(body.write('hello')).toBe(false);
    let ready = 0;
    body.sink!.ready = () => ready++;
    down.sink.ready!();
    expect(ready).toBe(1);
    body.sink!.end(fieldsOf({ checksum: '1' }));
    expect(down.sink.trailers).toEqual({ checksum: '1' });
  });

  test('an untrusted caller learns nothing of the way, a trusted one does', () => {
    const plain = setUp();
    answer(plain.x, upstream(new HandBody()), plain.options);
    expect(plain.down.answer!.fields['proxy-status']).toBeUndefined();
    expect(plain.down.answer!.fields['server-timing']).toBeUndefined();

    const { x, down, options } = setUp(TRUSTED);
    x.addAttempt('orders', '10.0.0.1:8080');
    x.settleAttempt(503, '-');
    answer(x, upstream(new HandBody(), 503, { 'proxy-status': 'inner; error=dns_error' }), options);
    expect(down.answer!.fields['proxy-status']).toBe(
      'inner; error=dns_error, snowgate; next-hop="10.0.0.1:8080"; received-status=503',
    );
  });

  test('that breaks ends the answer uncleanly, once', () => {
    const { x, down, options } = setUp();
    const body = new HandBody();
    answer(x, upstream(body), options);
    body.write('half');
    const error = gatewayError('GW_UPSTREAM_CUT');
    body.sink!.fail(error);
    body.sink!.fail(error);
    body.sink!.end(null);
    expect(down.sink.failures).toEqual([error]);
    expect(down.sink.ended).toBe(0);
    expect(x.error).toBe(error);
  });

  test('is stopped when the client leaves', () => {
    const { x, down, options } = setUp();
    const body = new HandBody();
    answer(x, upstream(body), options);
    down.left!();
    expect(body.cancelled?.code).toBe('GW_CLIENT_LEFT');
    expect(x.left).toBe(true);
    expect(x.error?.code).toBe('GW_CLIENT_LEFT');
  });

  test('is cut when its time is over, counted from the start of the request', () => {
    const { x, down, options, clock } = setUp({}, 1000);
    clock.advance(400);
    const body = new HandBody();
    answer(x, upstream(body), options);
    clock.advance(550);
    expect(body.cancelled).toBeNull();
    clock.advance(100);
    expect(body.cancelled?.code).toBe('GW_TIMEOUT');
    expect(down.sink.failures.map((error) => error.code)).toEqual(['GW_TIMEOUT']);
  });

  test('that is over in time is not cut later', () => {
    const { x, down, options, clock } = setUp({}, 1000);
    const body = new HandBody();
    answer(x, upstream(body), options);
    body.sink!.end(null);
    clock.advance(5000);
    expect(down.sink.failures).toEqual([]);
    expect(body.cancelled).toBeNull();
    expect(x.error).toBeNull();
  });

  test('is cut by a stage that throws', () => {
    const { x, down, options } = setUp();
    x.mapResponse((next) => ({
      ready: null,
      write: () => {
        throw new Error('boom');
      },
      end: (trailers) => next.end(trailers),
      fail: (error) => next.fail(error),
    }));
    const body = new HandBody();
    answer(x, upstream(body), options);
    expect(body.write('x')).toBe(false);
    expect(x.error?.code).toBe('GW_PLUGIN');
    expect(body.cancelled?.code).toBe('GW_PLUGIN');
    expect(down.sink.failures.map((error) => error.code)).toEqual(['GW_PLUGIN']);
  });

  test('tells its stages when it is cut from outside', () => {
    const heard: string[] = [];
    const { x, down, options } = setUp();
    x.mapResponse((next) => ({
      ready: null,
      write: (chunk) => next.write(chunk),
      end: (trailers) => next.end(trailers),
      fail: (error) => {
        heard.push(error.code);
        next.fail(error);
      },
    }));
    answer(x, upstream(new HandBody()), options);
    down.left!();
    expect(heard).toEqual(['GW_CLIENT_LEFT']);
  });

  test('of a stage that cannot be made is a 500', () => {
    const { x, down, options } = setUp();
    x.mapResponse(() => {
      throw new Error('boom');
    });
    const body = new HandBody();
    answer(x, upstream(body), options);
    expect(down.answer!.status).toBe(500);
    expect(body.cancelled?.code).toBe('GW_PLUGIN');
  });

  test('nobody is answered who has left', () => {
    const { x, down, options } = setUp();
    x.left = true;
    const body = new HandBody();
    answer(x, upstream(body), options);
    expect(down.answer).toBeNull();
    expect(body.cancelled?.code).toBe('GW_CLIENT_LEFT');
  });
});
