/** The respond plugin: answers without an upstream, after what guards the route. */
import { expect, test } from 'vitest';
import { runBefore, runRequest } from '../../../src/pipeline/run.ts';
import type { Reply } from '../../../src/plugin.ts';
import { builtInChain, configIssues, exchangeOf } from '../../kit/plugin.ts';

const shown = async (config: unknown) => {
  const answer = runRequest(await builtInChain(['respond', config]), exchangeOf()) as Reply;
  const body = answer.body === null ? null : new TextDecoder().decode(answer.body as Uint8Array);
  return { status: answer.status, fields: { ...answer.fields }, body };
};

test('without settings it is an empty 200', async () => {
  expect(await shown({})).toEqual({ status: 200, fields: {}, body: null });
});

test('text, JSON and headers', async () => {
  expect(
    await shown({ status: 503, body: 'Back at noon – sorry.', headers: { 'Retry-After': '60' } }),
  ).toEqual({
    status: 503,
    fields: { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '60' },
    body: 'Back at noon – sorry.',
  });
  expect(await shown({ json: { ok: true, list: [1, null] } })).toEqual({
    status: 200,
    fields: { 'content-type': 'application/json' },
    body: '{"ok":true,"list":[1,null]}',
  });
  expect((await shown({ json: false })).body).toBe('false');
  expect((await shown({ body: '<p>', headers: { 'content-type': 'text/html' } })).fields).toEqual({
    'content-type': 'text/html',
  });
});

test('each request gets headers of its own', async () => {
  const chain = await builtInChain(['respond', { headers: { a: 'b' } }]);
  const first = runRequest(chain, exchangeOf()) as Reply;
  first.fields.c = 'd';
  expect({ ...(runRequest(chain, exchangeOf()) as Reply).fields }).toEqual({ a: 'b' });
});

test('it never answers before the guards of the route', async () => {
  const chain = await builtInChain(
    ['respond', { body: 'secret' }],
    ['ip-filter', { deny: ['192.0.2.0/24'] }],
  );
  expect(await runBefore(chain, exchangeOf())).toMatchObject({ status: 403 });
  expect(await runBefore(chain, exchangeOf({ address: '198.51.100.1' }))).toBeUndefined();
});

const REFUSED: [config: unknown, path: string[]][] = [
  [{ status: 100 }, ['status']],
  [{ status: 204, body: 'x' }, ['body']],
  [{ body: 'x', json: {} }, ['body']],
  [{ headers: { 'transfer-encoding': 'chunked' } }, ['headers', 'transfer-encoding']],
  [{ headers: { a: 'b\r\nc' } }, ['headers', 'a']],
  [{ bdy: 'x' }, ['bdy']],
];
for (const [config, path] of REFUSED) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    expect((await configIssues('respond', config)).map((issue) => issue.path)).toEqual([path]);
  });
}
