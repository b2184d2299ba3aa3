import { expect, test } from 'vitest';
import { limitBody } from '../../../src/proxy/limit-body.ts';
import { HandBody, RecordSink } from '../../kit/proxy.ts';

test('a declared length past the limit is refused at once, one within comes back as it is', () => {
  expect(() => limitBody(new HandBody(11), 10)).toThrow('GW_BODY_TOO_LARGE');
  const body = new HandBody(10);
  expect(limitBody(body, 10)).toBe(body);
});

test('what flows is counted: the limit itself passes, a byte more stops the source', () => {
  const body = new HandBody();
  const sink = new RecordSink();
  limitBody(body, 10).read(sink);
  expect(body.write('12345')).toBe(true);
  expect(body.write('67890')).toBe(true);
  expect(body.cancelled).toBeNull();
  expect(body.write('!')).toBe(false);
  expect(sink.text).toBe('1234567890');
  expect(sink.failures.map((error) => error.code)).toEqual(['GW_BODY_TOO_LARGE']);
  expect(body.cancelled?.code).toBe('GW_BODY_TOO_LARGE');
  body.sink!.end(null);
  expect(sink.ended).toBe(0);
});

test('back-pressure goes through', () => {
  const body = new HandBody();
  const sink = new RecordSink();
  sink.takesMore = false;
  limitBody(body, 10).read(sink);
  expect(body.write('1')).toBe(false);
  let ready = 0;
  body.sink!.ready = () => ready++;
  sink.ready!();
  expect(ready).toBe(1);
  body.sink!.end(null);
  expect(sink.ended).toBe(1);
});
