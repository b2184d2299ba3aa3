/** The redirect plugin: where clients are sent, and where never. */
import { expect, test } from 'vitest';
import { runBefore } from '../../../src/pipeline/run.ts';
import type { Reply } from '../../../src/plugin.ts';
import { builtInChain, configIssues, type ExchangeOptions, exchangeOf } from '../../kit/plugin.ts';

const go = async (config: unknown, options: ExchangeOptions = {}): Promise<Reply> =>
  runBefore(await builtInChain(['redirect', config]), exchangeOf(options)) as Reply;

const PLACES: [to: string, request: ExchangeOptions, location: string][] = [
  ['https://new.example/', {}, 'https://new.example/'],
  ['/v2', { query: '?a=1' }, '/v2?a=1'],
  ['/v2?b=2', { query: '?a=1' }, '/v2?b=2&a=1'],
  ['/v2#top', { query: '?a=1' }, '/v2?a=1#top'],
  ['/v2', { query: '?' }, '/v2'],
  ['https://{host}{path}', { authority: 'a.test:8080', path: '/x/y', query: '?q' }, 'https://a.test/x/y?q'],
  ['https://{host}{path}', { authority: '[::1]:80', path: '/' }, 'https://[::1]/'],
  ['/u/{id}', { params: { id: '42' } }, '/u/42'],
  ['/u/{id}', { params: { id: '../a?b#c d/e' } }, '/u/..%2Fa%3Fb%23c%20d%2Fe'],
  ['/{id}', { params: { id: '/evil.example' } }, '/%2Fevil.example'],
];
for (const [to, request, location] of PLACES) {
  test(`${to} leads to ${location}`, async () => {
    expect(await go({ to }, request)).toMatchObject({ status: 302, fields: { location }, body: null });
  });
}

test('a path of two slashes never becomes another host', async () => {
  const answer = await go({ to: '/{id}{path}' }, { params: { id: '' }, path: '//evil.example' });
  expect(answer.fields.location).toBe('/evil.example');
});

test('the query stays behind when it is told to, and the status can be chosen', async () => {
  expect(await go({ to: '/a', keepQuery: false, status: 308 }, { query: '?x=1' })).toMatchObject({
    status: 308,
    fields: { location: '/a' },
  });
});

test('a parameter that the route lacks is a failure, not a place', async () => {
  expect(await go({ to: '/{nope}' })).toMatchObject({ status: 500, error: { code: 'GW_PLUGIN' } });
});

const REFUSED: [config: unknown, path: string[]][] = [
  [{}, ['to']],
  [{ to: 'new.example' }, ['to']],
  [{ to: '//new.example' }, ['to']],
  [{ to: 'javascript:alert(1)' }, ['to']],
  [{ to: '/a b' }, ['to']],
  [{ to: '/a\r\nx: y' }, ['to']],
  [{ to: '/a', status: 200 }, ['status']],
  [{ to: '/a', staus: 301 }, ['staus']],
];
for (const [config, path] of REFUSED) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    expect((await configIssues('redirect', config)).map((issue) => issue.path)).toEqual([path]);
  });
}
