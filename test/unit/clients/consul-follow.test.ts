/** Blocking queries against a Consul that says what a real one rarely does. */
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { followConsul } from '../../../src/clients/consul-follow.ts';
import type { ApiAnswer } from '../../../src/clients/http-api.ts';
import { createManualClock } from '../../kit/clock.ts';
import { until } from '../../kit/gateway.ts';

type Headers = Readonly<Record<string, string>>;

/** Follows, and hands each question to the test. */
const begin = (staleMs = 0) => {
  const clock = createManualClock();
  const end = new AbortController();
  const asked: { readonly params: string; readonly timeoutMs: number }[] = [];
  const told: string[] = [];
  let answer: ((headers: Headers, body?: string, status?: number) => void) | null = null;
  const watch = followConsul(
    { path: '/v1/x', params: [['dc', 'north']], shape: z.array(z.number()), waitMs: 16_000, staleMs },
    {
      answer: (value, withheld) => void told.push(`${value.join()}${withheld ? ' withheld' : ''}`),
      failed: (error) => void told.push(error.message),
    },
    {
      clock,
      random: { next: () => 1, bytes: (count) => new Uint8Array(count) },
      signal: end.signal,
      ask(params, timeoutMs) {
        asked.push({ params: params.map(([key, value]) => `${key}=${value}`).join('&'), timeoutMs });
        const { promise, resolve } = Promise.withResolvers<ApiAnswer>();
        answer = (headers, body = '[1]', status = 200) =>
          resolve({
            from: 'http://consul/v1/x',
            status,
            header: (name) => headers[name] ?? null,
            text: body,
          });
        return promise;
      },
    },
  );
  onTestFinished(() => watch.close());
  const next = async (headers: Headers, body?: string, status?: number) => {
    await until(() => answer !== null, 'a question');
    const give = answer;
    answer = null;
    const before = told.length;
    give?.(headers, body, status);
    return before;
  };
  /** Answers, waits until that is told, and lets the time pass until the next question. */
  const says = async (headers: Headers, body?: string, status?: number) => {
    const before = await next(headers, body, status);
    await until(() => told.length > before, 'what was told');
    await until(() => clock.pending > 0, 'a pause');
    clock.advance(20_000);
    await until(() => answer !== null, 'the next question');
  };
  return { clock, asked, told, says, next, watch, last: () => asked.at(-1)?.params };
};

const at = (index: string): Headers => ({ 'x-consul-index': index });

test('the next query waits for what comes after the index of the last answer', async () => {
  const { asked, told, says } = begin();
  await says(at('7'));
  await says(at('9'), '[1,2]');
  expect(asked.map(({ params }) => params)).toEqual([
    'dc=north',
    'dc=north&index=7&wait=16000ms',
    'dc=north&index=9&wait=16000ms',
  ]);
  expect(told).toEqual(['1', '1,2']);
});

test('it has more time than the wait and what Consul adds to it', async () => {
  const { asked } = begin();
  expect(asked[0]?.timeoutMs).toBeGreaterThan((16_000 * 17) / 16);
});

test('an index that goes back is of another history: everything is read anew', async () => {
  const { says, last, told } = begin();
  await says(at('900'));
  await says(at('12'), '[3]');
  expect(last()).toBe('dc=north');
  expect(told).toEqual(['1', '3']);
});

test('an index of 0 would never block, so it counts as 1', async () => {
  const { says, last } = begin();
  await says(at('0'));
  expect(last()).toBe('dc=north&index=1&wait=16000ms');
});

test('after a failure of any kind everything is read anew', async () => {
  const { says, told, last } = begin();
  for (const [headers, body, status] of [
    [{}, '[1]', 200],
    [at('x'), '[1]', 200],
    [at('8'), '["one"]', 200],
    [at('8'), '[1', 200],
    [at('8'), 'No cluster leader', 500],
  ] as const) {
    await says(at('7'));
    await says(headers, body, status);
    expect(last()).toBe('dc=north');
  }
  expect(told.filter((line) => line !== '1')).toEqual([
    'http://consul/v1/x: there is no X-Consul-Index',
    'http://consul/v1/x: there is no X-Consul-Index',
    expect.stringContaining('the answer has another shape at 0: '),
    'http://consul/v1/x: the answer is no JSON',
    'http://consul/v1/x: it answered 500, No cluster leader',
  ]);
});

test('an answer that is too old is asked for again of the leader; a young one is taken', async () => {
  const { asked, told, next } = begin(10_000);
  const stale = { ...at('7'), 'x-consul-lastcontact': '10001', 'x-consul-knownleader': 'true' };
  await next(stale, '[9]');
  await until(() => asked.length === 2, 'a second question');
  expect(asked.map(({ params }) => params)).toEqual(['dc=north&stale=', 'dc=north']);
  await next(at('8'), '[2]');
  await until(() => told.length === 1, 'the answer of the leader');
  expect(told).toEqual(['2']);

  const headless = begin(10_000);
  await headless.next({ ...at('7'), 'x-consul-lastcontact': '0', 'x-consul-knownleader': 'false' }, '[9]');
  await until(() => headless.asked.length === 2, 'a second question');

  const young = begin(10_000);
  await young.says({ ...at('7'), 'x-consul-lastcontact': '10000', 'x-consul-knownleader': 'true' }, '[3]');
  expect(young.told).toEqual(['3']);
  expect(young.last()).toBe('dc=north&index=7&wait=16000ms&stale=');
});

test('what the token may not see is said with the answer', async () => {
  const { says, told } = begin();
  await says({ ...at('7'), 'x-consul-results-filtered-by-acls': 'true' }, '[]');
  expect(told).toEqual([' withheld']);
});

test('a service that changes all the time is asked for ten times a second at most', async () => {
  const { clock, asked, next, told } = begin();
  await next(at('7'));
  await until(() => told.length === 1 && clock.pending > 0, 'a pause');
  clock.advance(99);
  await Promise.resolve();
  expect(asked.length).toBe(1);
  clock.advance(1);
  await until(() => asked.length === 2, 'a second question');
});

test('closed, it tells nothing and asks nothing any more', async () => {
  const { clock, asked, told, next, watch } = begin();
  watch.close();
  await next(at('7'));
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(60_000);
  expect([asked.length, told.length, clock.pending]).toEqual([1, 0, 0]);
});
