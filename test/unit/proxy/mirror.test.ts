/** Copies of requests for a mirror: what they hold, when they leave, and that the original never notices. */
import { describe, expect, test } from 'vitest';
import { gatewayError } from '../../../src/kernel/errors.ts';
import { setUpMirror } from '../../kit/mirror.ts';
import { createExchange, fieldsOf, HandBody, RecordSink } from '../../kit/proxy.ts';

describe('a request without a body', () => {
  test('is copied at once: its own head, marked', () => {
    const { main, shadow, begin } = setUpMirror();
    const { x } = begin({ fields: { accept: '*/*', cookie: ['a=1', 'b=2'] } });
    expect(shadow.call!.head).toMatchObject({ method: 'GET', path: '/orders/1', query: '?v=2' });
    expect({ ...shadow.call!.head.fields }).toEqual({
      accept: '*/*',
      cookie: ['a=1', 'b=2'],
      'x-snowgate-mirror': '1',
    });
    expect(shadow.call!.head).not.toBe(x.request);
    expect(shadow.call!.head.fields.cookie).not.toBe(x.request.fields.cookie);
    expect(main.call!.head.fields['x-snowgate-mirror']).toBeUndefined();
  });

  test.each([
    ['keep', 'shop.example'],
    ['shadow.example', 'shadow.example'],
    ['upstream', '10.0.0.1:8080'],
  ])('with the Host %s is sent to %s', (hostHeader, authority) => {
    const { shadow, begin } = setUpMirror({ hostHeader });
    begin();
    expect(shadow.call!.head.authority).toBe(authority);
  });
});

describe('a request with a body', () => {
  test('is copied once all of it has passed to the original', () => {
    const { shadow, begin, takeBody } = setUpMirror();
    const body = new HandBody(10);
    begin({ method: 'POST', body });
    const sink = takeBody();
    body.write('hello');
    expect(shadow.call).toBeNull();
    body.write('world');
    body.sink!.end(null);
    expect([sink.text, sink.ended]).toEqual(['helloworld', 1]);
    const copied = new RecordSink();
    expect(shadow.call!.body!.length).toBe(10);
    shadow.call!.body!.read(copied);
    expect(copied.text).toBe('helloworld');
  });

  test('that turns out empty is copied without one', () => {
    const { shadow, begin, takeBody } = setUpMirror();
    const body = new HandBody(null);
    begin({ method: 'POST', body });
    takeBody();
    body.sink!.end(null);
    expect(shadow.call!.body).toBeNull();
  });

  test('that is known to be too large is not copied', () => {
    const { shadow, ended, begin } = setUpMirror();
    begin({ method: 'POST', body: new HandBody(65_537) });
    expect([shadow.call, ended]).toEqual([null, ['too_large']]);
  });

  test('that grows too large is not copied, and reaches the original whole', () => {
    const { shadow, ended, begin, takeBody } = setUpMirror();
    const body = new HandBody(null);
    begin({ method: 'POST', body });
    const sink = takeBody();
    for (let n = 0; n < 7; n++) body.write('x'.repeat(10_000));
    body.sink!.end(null);
    expect(sink.text).toHaveLength(70_000);
    expect([shadow.call, ended]).toEqual([null, ['too_large']]);
  });

  test('that breaks off is not copied', () => {
    const { shadow, ended, begin, takeBody } = setUpMirror();
    const body = new HandBody(10);
    begin({ method: 'POST', body });
    const sink = takeBody();
    body.write('hello');
    body.sink!.fail(gatewayError('GW_CLIENT_LEFT'));
    expect(sink.failures).toHaveLength(1);
    expect([shadow.call, ended]).toEqual([null, ['incomplete']]);
  });

  test('that the original does not want to the end is not copied', () => {
    const { main, shadow, ended, begin, takeBody } = setUpMirror();
    const body = new HandBody(10);
    const { down } = begin({ method: 'POST', body });
    takeBody();
    body.write('hello');
    const answer = new HandBody();
    main.to!.head({ status: 413, fields: fieldsOf() }, answer);
    answer.sink!.end(null);
    expect(down.sink.ended).toBe(1);
    expect([shadow.call, ended]).toEqual([null, ['incomplete']]);
  });

  test('tells the source to wait when the original does', () => {
    const { begin, takeBody } = setUpMirror();
    const body = new HandBody(10);
    begin({ method: 'POST', body });
    const sink = takeBody();
    sink.takesMore = false;
    expect(body.write('hello')).toBe(false);
    let woken = 0;
    const wake = () => {
      woken++;
    };
    body.sink!.ready = wake;
    sink.ready!();
    expect(woken).toBe(1);
  });
});

describe('the answer of a mirror', () => {
  test('is read away, and the client hears only the original', () => {
    const { main, shadow, ended, attempted, begin } = setUpMirror();
    const { down } = begin();
    const [mirrored, answer] = [new HandBody(), new HandBody()];
    shadow.call!.observer!.attempted(500, null);
    shadow.to!.head({ status: 500, fields: fieldsOf() }, mirrored);
    expect(mirrored.write('broken')).toBe(true);
    main.to!.head({ status: 200, fields: fieldsOf() }, answer);
    answer.write('fine');
    answer.sink!.end(null);
    mirrored.sink!.end(null);
    expect([down.answer!.status, down.sink.text]).toEqual([200, 'fine']);
    expect(ended).toEqual(['answered']);
    expect(attempted).toEqual(['10.0.0.1:8080 500 -']);
  });

  test('that never ends is cut after a megabyte', () => {
    const { shadow, ended, begin } = setUpMirror();
    begin();
    const mirrored = new HandBody();
    shadow.to!.head({ status: 200, fields: fieldsOf() }, mirrored);
    const piece = 'x'.repeat(65_536);
    let writes = 0;
    while (mirrored.write(piece)) writes++;
    expect(writes).toBe(16);
    expect(mirrored.cancelled).not.toBeNull();
    expect(ended).toEqual(['answered']);
  });

  test('that takes too long is given up, and one that fails is counted', () => {
    const { clock, shadow, ended, begin } = setUpMirror();
    begin();
    clock.advance(5100);
    expect(shadow.cancelled).toHaveLength(1);
    begin();
    shadow.to!.fail(gatewayError('GW_UPSTREAM_RESET'));
    clock.advance(10_000);
    expect(ended).toEqual(['failed', 'failed']);
  });
});

test('a client that leaves does not stop a copy that is on its way', () => {
  const { main, shadow, ended, begin } = setUpMirror();
  const { down } = begin();
  down.left!();
  expect([main.cancelled.length, shadow.cancelled.length]).toEqual([1, 0]);
  const mirrored = new HandBody();
  shadow.to!.head({ status: 200, fields: fieldsOf() }, mirrored);
  mirrored.sink!.end(null);
  expect(ended).toEqual(['answered']);
});

test('at most a hundred are under way', () => {
  const { shadow, ended, begin } = setUpMirror();
  for (let n = 0; n < 102; n++) begin();
  expect(ended).toEqual(['too_many', 'too_many']);
  shadow.to!.fail(gatewayError('GW_UPSTREAM_RESET'));
  begin();
  expect(ended).toEqual(['too_many', 'too_many', 'failed']);
});

test('only the part is copied that is drawn', () => {
  expect(setUpMirror({ percent: 0.5 }).mirror.copy(createExchange().x, null)).toBeNull();
  expect(setUpMirror({ percent: 0.51 }).mirror.copy(createExchange().x, null)).not.toBeNull();
});

test('an upgrade is not copied', () => {
  const { shadow, begin } = setUpMirror();
  begin({ upgrade: true });
  expect(shadow.call).toBeNull();
});
