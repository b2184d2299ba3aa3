/** The api-key plugin: which keys are known, who has them, and what is wrong with a list of them. */
import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { runBefore, runRequest } from '../../../src/pipeline/run.ts';
import { builtInChain, configIssues, type ExchangeOptions, exchangeOf, folderOf } from '../../kit/plugin.ts';

const hashOf = (key: string) => `sha256:${hash('sha256', key, 'hex')}`;
const consumers = {
  acme: { keys: [hashOf('sgk_a'), hashOf('sgk_b')], plan: 'pro', tenant: 'eu-1', scopes: ['orders:read'] },
  zeta: { keys: [hashOf('sgk_z')] },
};

const asked = async (more: Record<string, unknown>, request: ExchangeOptions) => {
  const chain = await builtInChain(['api-key', { consumers, ...more }]);
  const x = exchangeOf(request);
  const refusal = await runBefore(chain, x);
  if (refusal !== undefined) return { status: refusal.status, challenge: refusal.fields['www-authenticate'] };
  await runRequest(chain, x);
  return { principal: x.principal, sent: { ...x.request.fields }, query: x.request.query };
};

test('a key that is known tells who it is, and goes no further; nothing is awaited', async () => {
  for (const key of ['sgk_a', 'sgk_b'])
    expect(
      await asked({ forward: { sub: 'x-consumer', plan: 'x-plan' } }, { fields: { 'x-api-key': key } }),
    ).toEqual({
      principal: {
        id: 'acme',
        claims: { sub: 'acme', plan: 'pro', tenant: 'eu-1' },
        scopes: ['orders:read'],
        by: 'api-key',
      },
      sent: { 'x-consumer': 'acme', 'x-plan': 'pro' },
      query: '',
    });
  const chain = await builtInChain(['api-key', { consumers }]);
  expect(runBefore(chain, exchangeOf({ fields: { 'x-api-key': 'sgk_z' } }))).toBeUndefined();
});

test('what is not a key that was given out is refused', async () => {
  const refused = { status: 401, challenge: 'ApiKey realm="api"' };
  for (const key of ['', 'sgk_c', 'SGK_A', hashOf('sgk_a'), 'x'.repeat(2000), '__proto__'])
    expect(await asked({ optional: true }, { fields: { 'x-api-key': key } })).toEqual(refused);
  expect(await asked({ optional: true }, { fields: { 'x-api-key': ['sgk_a', 'sgk_z'] } })).toEqual(refused);
  expect(await asked({}, {})).toEqual({ status: 401, challenge: ['ApiKey realm="api"'] });
  expect(await asked({ optional: true }, {})).toMatchObject({ principal: null });
});

test('it may stand elsewhere', async () => {
  expect(await asked({ from: ['query.key'] }, { query: '?key=sgk_a&v=1' })).toMatchObject({
    principal: { id: 'acme' },
    query: '?v=1',
  });
  expect(
    await asked({ from: ['cookie.key'], forwardKey: true }, { fields: { cookie: 'key=sgk_a' } }),
  ).toMatchObject({ principal: { id: 'acme' }, sent: { cookie: 'key=sgk_a' } });
});

test('the list may be a file; what is wrong in it is told with its place', async () => {
  const good = `acme:\n  keys: ["${hashOf('sgk_a')}"]\n  plan: pro\n`;
  const { path, write } = folderOf({ 'c.yaml': good });
  const config = { consumers: `${path}/c.yaml` };
  expect(await asked(config, { fields: { 'x-api-key': 'sgk_a' } })).toMatchObject({
    principal: { id: 'acme', claims: { plan: 'pro' } },
  });
  const told = async (text: string) => {
    write('c.yaml', text);
    return (await configIssues('api-key', config))[0]?.message;
  };
  expect(await told(`${good}zeta:\n  keys: [secret]\n`)).toMatch(
    /c\.yaml:5:10: zeta\.keys\.0: must be the hash of a key/,
  );
  expect(await told(`${good}zeta: {}\n`)).toMatch(/c\.yaml:4:7: zeta\.keys: /);
  expect(await told(`${good}zeta:\n  keys: ["${hashOf('sgk_a')}"]\n`)).toMatch(/zeta has a key of acme/);
  expect(await told(`${good}  keys: []\n`)).toMatch(/c\.yaml:4:3: .*unique/);
  expect(await told('- a\n')).toMatch(/c\.yaml:1:1/);
  expect(await told(`acme: { keys: ["${hashOf('x')}"], id: other }\n`)).toMatch(/name of the entry/);
  expect((await configIssues('api-key', { consumers: `${path}/none.yaml` }))[0]?.message).toMatch(
    /none\.yaml does not exist/,
  );
});

test('a key in clear is refused where it stands', async () => {
  const issues = await configIssues('api-key', { consumers: { acme: { keys: ['sgk_secret'] } } });
  expect(issues).toMatchObject([{ path: ['consumers', 'acme', 'keys', 0] }]);
  expect(issues[0]!.message).not.toContain('sgk_secret');
});
