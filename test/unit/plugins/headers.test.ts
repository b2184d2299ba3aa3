/** The headers plugin: what reaches the upstream, and what the client. */
import { expect, test } from 'vitest';
import { runRequest, runResponse } from '../../../src/pipeline/run.ts';
import { reply } from '../../../src/plugin.ts';
import { builtInChain, configIssues, exchangeOf } from '../../kit/plugin.ts';

const sent = async (request: unknown, x = exchangeOf()) => {
  runRequest(await builtInChain(['headers', { request }]), x);
  return { ...x.request.fields };
};

test('request headers are removed, set and added, and what was received stays', async () => {
  const x = exchangeOf({ fields: { 'x-old': '1', 'x-kept': 'a', 'x-set': 'before' } });
  const fields = await sent(
    {
      remove: ['X-Old'],
      set: { 'X-Set': 'after', 'x-old': 'new' },
      add: { 'x-kept': ['b', 'c'], 'x-new': 'n' },
    },
    x,
  );
  expect(fields).toEqual({ 'x-old': 'new', 'x-set': 'after', 'x-kept': ['a', 'b', 'c'], 'x-new': 'n' });
  expect({ ...x.received.fields }).toEqual({ 'x-old': '1', 'x-kept': 'a', 'x-set': 'before' });
});

test('response headers are changed on any answer', async () => {
  const chain = await builtInChain([
    'headers',
    { response: { remove: ['server'], set: { 'x-frame-options': 'DENY' }, add: { 'set-cookie': 'b=2' } } },
  ]);
  for (const answer of [
    reply(200, { server: 'x', 'set-cookie': ['a=1'] }),
    reply(502, { 'set-cookie': ['a=1'] }),
  ]) {
    expect(runResponse(chain, exchangeOf(), answer)).toBe(answer);
    expect({ ...answer.fields }).toEqual({ 'x-frame-options': 'DENY', 'set-cookie': ['a=1', 'b=2'] });
  }
});

test('words in braces are filled in', async () => {
  const x = exchangeOf({ address: '198.51.100.7', authority: 'api.test:8080', params: { id: '42' } });
  const claims = { plan: 'pro', roles: ['a', 'b'], 'https://x/org': 'shop' };
  x.principal = { id: 'ann', claims, scopes: [], by: 'jwt' };
  const set = {
    'x-a': 'from {client.address} by {client.scheme}',
    'x-b': '{principal.id}/{params.id}/{params.none}',
    'x-c': '{trace.id} {route} {host}',
    'x-d': '{"json": {}, "n": 1}',
    'x-e': '{claims.plan} {claims.roles} {claims["https://x/org"]} {claims.none.deep}',
  };
  expect(await sent({ set }, x)).toEqual({
    'x-a': 'from 198.51.100.7 by http',
    'x-b': 'ann/42/',
    'x-c': '123 test api.test:8080',
    'x-d': '{"json": {}, "n": 1}',
    'x-e': 'pro a,b shop ',
  });
});

test('what a client has a hand in cannot break out of the line', async () => {
  const x = exchangeOf({ params: { id: 'a\r\nx-admin: 1', word: 'é\u{1f600}\ud800' } });
  expect(await sent({ set: { 'x-a': '{params.id}', 'x-b': '{params.word}' } }, x)).toEqual({
    'x-a': 'a%0D%0Ax-admin: 1',
    'x-b': '%C3%A9%F0%9F%98%80%EF%BF%BD',
  });
});

test('without changes of a side there is no hook for it', async () => {
  const chain = await builtInChain(['headers', { response: { set: { a: 'b' } } }]);
  expect([chain.request, chain.before, chain.response?.length]).toEqual([null, null, 1]);
});

const REFUSED: [config: unknown, path: (string | number)[]][] = [
  [{ request: { set: { 'content-length': '5' } } }, ['request', 'set', 'content-length']],
  [{ request: { remove: ['Host'] } }, ['request', 'remove', 0]],
  [{ request: { set: { 'a b': 'c' } } }, ['request', 'set', 'a b']],
  [{ request: { set: { a: 'b\nc' } } }, ['request', 'set', 'a']],
  [{ request: { set: { a: '{client.adress}' } } }, ['request', 'set', 'a']],
  [{ response: { add: { a: ['b', 'c\0'] } } }, ['response', 'add', 'a', 1]],
  [{ response: { sets: {} } }, ['response', 'sets']],
];
for (const [config, path] of REFUSED) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    expect((await configIssues('headers', config)).map((issue) => issue.path)).toEqual([path]);
  });
}
