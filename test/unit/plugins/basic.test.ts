/** The basic plugin: names and passwords, how they are remembered, and how few are checked at once. */
import { scryptSync } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { readPasswordHash } from '../../../plugins/_auth/password.ts';
import { compileChain } from '../../../src/pipeline/chain.ts';
import { createInstance } from '../../../src/pipeline/instances.ts';
import { runBefore, runRequest } from '../../../src/pipeline/run.ts';
import { builtIn, configIssues, exchangeOf, testHost, useOf } from '../../kit/plugin.ts';

const bare = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
const salt = Buffer.alloc(16, 7);
const hashOf = (password: string) =>
  `$scrypt$ln=14,r=8,p=1$${bare(salt)}$${bare(scryptSync(password, salt, 32, { N: 2 ** 14, maxmem: 2 ** 26 }))}`;
const users = {
  ann: { password: hashOf('pa:ss wörd'), scopes: ['admin'], team: 'a' },
  bob: { password: hashOf('other') },
};

const gate = async (more: Record<string, unknown> = {}) => {
  const host = testHost();
  const instance = await createInstance(await builtIn('basic'), useOf('basic', { users, ...more }), host);
  onTestFinished(() => instance.dispose());
  const chain = compileChain([instance]);
  const request = (authorization?: string | string[]) =>
    exchangeOf({ fields: authorization === undefined ? {} : { authorization } });
  return {
    host,
    chain,
    request,
    ask: async (authorization?: string | string[]) => {
      const x = request(authorization);
      const refusal = await runBefore(chain, x);
      if (refusal !== undefined) return refusal.status;
      await runRequest(chain, x);
      return { id: x.principal?.id ?? null, ...x.request.fields };
    },
  };
};
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

test('the right name and password get in, and go no further', async () => {
  const { ask } = await gate({ forward: { sub: 'x-user', team: 'x-team' } });
  expect(await ask(basic('ann:pa:ss wörd'))).toEqual({ id: 'ann', 'x-user': 'ann', 'x-team': 'a' });
  expect(await ask(basic('ann:pa:ss wörd').replace('Basic', 'bAsIc '))).toMatchObject({ id: 'ann' });
});

test('anything else does not', async () => {
  const { ask, host } = await gate({ optional: true });
  const wrong = ['ann:', 'ann:pa:ss', 'Ann:pa:ss wörd', 'bob:pa:ss wörd', 'eve:other', ':other', 'ann', ''];
  for (const text of wrong) expect(await ask(basic(text))).toBe(401);
  for (const value of ['Basic', 'Basic ', 'Basic ???', `Basic ${'A'.repeat(4000)}`])
    expect(await ask(value)).toBe(401);
  expect(await ask([basic('bob:other'), basic('ann:x')])).toBe(401);
  expect(host.counts.get('basic_refused')).toBe(wrong.length + 5);
  expect(await ask('Bearer x')).toEqual({ id: null, authorization: 'Bearer x' });
  expect(await ask()).toEqual({ id: null });
});

test('the 401 asks for one', async () => {
  const { chain, request } = await gate({ realm: 'shop' });
  const challenge = 'Basic realm="shop", charset="UTF-8"';
  expect(await runBefore(chain, request())).toMatchObject({ fields: { 'www-authenticate': [challenge] } });
  expect(await runBefore(chain, request(basic('bob:x')))).toMatchObject({
    fields: { 'www-authenticate': challenge },
  });
});

test('who was right is remembered for ten minutes, and only with that password', async () => {
  const { chain, request, host, ask } = await gate();
  await ask(basic('bob:other'));
  expect(runBefore(chain, request(basic('bob:other')))).toBeUndefined();
  expect(await ask(basic('bob:othe'))).toBe(401);
  host.clock.advance(600_000);
  expect(runBefore(chain, request(basic('bob:other')))).toBeInstanceOf(Promise);
});

test('a flood of guesses waits in a line of bounded length, and the rest is told to come back', async () => {
  const { ask } = await gate();
  const answers = await Promise.all(Array.from({ length: 80 }, (_, at) => ask(basic(`bob:guess${at}`))));
  expect(answers.filter((status) => status === 401)).toHaveLength(52);
  expect(answers.filter((status) => status === 503)).toHaveLength(28);
  expect(await ask(basic('bob:other'))).toMatchObject({ id: 'bob' });
});

test('a hash that is none, too cheap or too dear is refused where it stands', async () => {
  const [, , , salted, hashed] = hashOf('x').split('$');
  for (const text of [
    'secret',
    `$scrypt$ln=10,r=8,p=1$${salted}$${hashed}`,
    `$scrypt$ln=24,r=8,p=1$${salted}$${hashed}`,
    `$scrypt$ln=14,r=99,p=1$${salted}$${hashed}`,
    `$scrypt$ln=14,r=8,p=9$${salted}$${hashed}`,
    `$scrypt$ln=14,r=8,p=1$${salted}$AAAA`,
    `$2b$10$${'a'.repeat(53)}`,
  ]) {
    expect(readPasswordHash(text)).toBeNull();
    const issues = await configIssues('basic', { users: { ann: { password: text } } });
    expect(issues).toMatchObject([{ path: ['users', 'ann', 'password'] }]);
  }
});
