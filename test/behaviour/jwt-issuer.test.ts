/** An issuer that is down, slow, changes its keys or talks rubbish: known keys work on, and it is never stormed. */
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { compileChain } from '../../src/pipeline/chain.ts';
import { createInstance } from '../../src/pipeline/instances.ts';
import { runBefore } from '../../src/pipeline/run.ts';
import { until } from '../kit/gateway.ts';
import { deadPort } from '../kit/gateway-origin.ts';
import {
  goodClaims,
  type IssuerServer,
  type SigningKey,
  signingKey,
  signToken,
  startIssuer,
} from '../kit/issuer.ts';
import { builtIn, exchangeOf, testHost, useOf } from '../kit/plugin.ts';

const first = await signingKey('first');
const next = await signingKey('next');
const UNKNOWN = { status: 401, error: { code: 'GW_UNAUTHENTICATED' } };

/** A gate of one issuer; time is moved by hand, the network is real. */
const gateOf = async (issuer: { url: string }, more: Record<string, unknown> = {}) => {
  const host = testHost();
  const use = useOf('jwt', { issuer: issuer.url, audience: 'any', ...more });
  const instance = await createInstance(await builtIn('jwt'), use, host);
  onTestFinished(() => instance.dispose());
  const chain = compileChain([instance]);
  const token = (key: SigningKey, header: Record<string, unknown> = {}) =>
    signToken(key, goodClaims(host.clock.wallMs(), { iss: issuer.url, jti: randomUUID() }), header);
  const show = async (text: string) => {
    const x = exchangeOf({ fields: { authorization: `Bearer ${text}` } });
    return (await runBefore(chain, x)) ?? x.principal!.id;
  };
  return {
    host,
    token,
    show,
    ask: async (key: SigningKey, header: Record<string, unknown> = {}) => show(await token(key, header)),
    /** Moves time on until the issuer was asked again: in steps, so that no time limit of the fetch is jumped over. */
    refresh: async (server: IssuerServer) => {
      const before = server.fetches;
      await until(() => {
        if (server.fetches === before) host.clock.advance(500);
        return server.fetches > before;
      }, 'a fetch');
    },
  };
};

test('keys are found by discovery, fetched once for all who wait, and known from then on', async () => {
  const issuer = await startIssuer(first, next);
  const { ask } = await gateOf(issuer);
  const asked = Array.from({ length: 50 }, (_, at) => ask(at % 2 === 0 ? first : next));
  expect(await Promise.all(asked)).toEqual(new Array(50).fill('alice'));
  expect(await ask(first)).toBe('alice');
  expect(issuer.fetches).toBe(1);
});

test('a key that the issuer begins to use is taken at once; one that it gave up is refused, remembered or not', async () => {
  const issuer = await startIssuer(first);
  const { ask, show, token } = await gateOf(issuer);
  const old = await token(first);
  expect(await show(old)).toBe('alice');
  issuer.keys = [next];
  expect(await show(old)).toBe('alice');
  const many = await Promise.all(Array.from({ length: 20 }, () => ask(next)));
  expect(many).toEqual(new Array(20).fill('alice'));
  expect(await show(old)).toMatchObject(UNKNOWN);
  expect(await ask(first)).toMatchObject(UNKNOWN);
  expect(issuer.fetches).toBe(2);
});

test('keys are fetched ahead of need', async () => {
  const issuer = await startIssuer(first);
  const { host, ask, refresh } = await gateOf(issuer);
  expect(await ask(first)).toBe('alice');
  issuer.keys = [first, next];
  await refresh(issuer);
  expect(host.clock.nowMs()).toBeGreaterThan(200_000);
  expect(host.clock.nowMs()).toBeLessThanOrEqual(300_500);
  expect(await ask(next)).toBe('alice');
  expect(issuer.fetches).toBe(2);
});

test('a thousand random names make one fetch a cooldown, and each is answered in milliseconds', async () => {
  const issuer = await startIssuer(first);
  const { host, ask, token, show } = await gateOf(issuer);
  expect(await ask(first)).toBe('alice');
  const flood = async () => {
    const took: number[] = [];
    for (let at = 0; at < 1000; at++) {
      const text = await token(next, { kid: randomUUID() });
      const from = performance.now();
      expect(await show(text)).toMatchObject(UNKNOWN);
      took.push(performance.now() - from);
    }
    return took.sort((a, b) => a - b)[Math.floor(took.length * 0.9)]!;
  };
  expect(await flood()).toBeLessThan(5);
  expect(issuer.fetches).toBe(2);
  host.clock.advance(29_000);
  expect(await flood()).toBeLessThan(5);
  expect(issuer.fetches).toBe(2);
  host.clock.advance(1_001);
  await flood();
  expect(issuer.fetches).toBe(3);
});

test('a name that the issuer did not know is not asked for again soon', async () => {
  const issuer = await startIssuer(first);
  const { host, ask } = await gateOf(issuer);
  await ask(first);
  expect(await ask(next)).toMatchObject(UNKNOWN);
  host.clock.advance(45_000);
  expect(await ask(next)).toMatchObject(UNKNOWN);
  expect(issuer.fetches).toBe(2);
  host.clock.advance(20_000);
  expect(await ask(next)).toMatchObject(UNKNOWN);
  expect(issuer.fetches).toBe(3);
});

test('an issuer that is down at the start is told as such, and asked again until it is there', async () => {
  const issuer = await startIssuer(first);
  await issuer.stop();
  const { host, ask, refresh } = await gateOf(issuer);
  const unavailable = {
    status: 503,
    fields: { 'retry-after': '5' },
    error: { code: 'GW_AUTH_UNAVAILABLE' },
  };
  expect(await ask(first)).toMatchObject(unavailable);
  expect(await ask(first)).toMatchObject(unavailable);
  expect(host.log.lines).toMatchObject([
    { level: 'warn', message: expect.stringContaining('tokens cannot be checked') },
  ]);
  await issuer.start();
  await refresh(issuer);
  await until(() => host.log.lines.length === 2, 'the keys');
  expect(await ask(first)).toBe('alice');
});

test('an issuer that goes down leaves its keys in use, for tokens old and new', async () => {
  const issuer = await startIssuer(first);
  const { host, ask, show, token } = await gateOf(issuer);
  const old = await token(first);
  expect(await show(old)).toBe('alice');
  await issuer.stop();
  const warned = () => host.log.lines.filter((line) => line.message.includes('stay in use')).length;
  host.clock.advance(300_000);
  await until(() => warned() === 1, 'a fetch that fails');
  for (let at = 0; at < 5; at++) {
    host.clock.advance(30_000);
    expect([await show(old), await ask(first), (await ask(next)) === 'alice']).toEqual([
      'alice',
      'alice',
      false,
    ]);
  }
  expect(warned()).toBe(1);
  await issuer.start();
  issuer.keys = [next];
  host.clock.advance(31_000);
  await until(() => issuer.fetches > 1, 'a fetch');
  await until(() => host.log.lines.some((line) => line.message.includes('had again')));
  expect(await ask(next)).toBe('alice');
});

test('an issuer that hangs holds nobody up who brings a key that is known, and others for a second at most', async () => {
  const issuer = await startIssuer(first);
  const { host, ask } = await gateOf(issuer);
  expect(await ask(first)).toBe('alice');
  issuer.instead = () => undefined;
  const waiting = Array.from({ length: 300 }, () => ask(next));
  await until(() => issuer.fetches === 2, 'the fetch that hangs');
  expect(await ask(first)).toBe('alice');
  // Only so many wait; the rest is refused at once.
  expect((await Promise.race(waiting)) !== 'alice').toBe(true);
  const settled = await Promise.all(waiting.map((one) => Promise.race([one, ask(first).then(() => null)])));
  expect(settled.filter((one) => one === null)).toHaveLength(200);
  host.clock.advance(1_000);
  for (const one of await Promise.all(waiting)) expect(one).toMatchObject(UNKNOWN);
  host.clock.advance(4_000);
  await until(() => host.log.lines.length > 0, 'the end of the fetch');
  expect(host.log.lines[0]!.fields.reason).toMatch(/no answer in 5000 ms/);
  expect(issuer.fetches).toBe(2);
});

const big = JSON.stringify({ keys: [], filler: 'x'.repeat(600_000) });
const RUBBISH: Record<string, [IssuerServer['instead'], RegExp]> = {
  'what is no JSON': [(_, response) => response.end('<html>'), /not valid JSON/],
  'an error': [(_, response) => response.writeHead(500).end('{}'), /answered 500/],
  'an empty object': [(_, response) => response.end('{}'), /no key set/],
  null: [(_, response) => response.end('null'), /no key set/],
  'no keys': [(_, response) => response.end('{"keys":[]}'), /no key for signatures/],
  'keys that are none': [
    (_, response) => response.end('{"keys":[1,null,{"kty":5}]}'),
    /no key for signatures/,
  ],
  'a secret': [
    (_, response) => response.end(JSON.stringify({ keys: [{ kty: 'oct', k: 'A'.repeat(64), kid: 'next' }] })),
    /no key for signatures/,
  ],
  'a key for encryption': [
    (_, response) => response.end(JSON.stringify({ keys: [{ ...next.jwk, use: 'enc' }] })),
    /no key for signatures/,
  ],
  'too many keys': [
    (_, response) => response.end(JSON.stringify({ keys: new Array(101).fill(next.jwk) })),
    /more than 100 keys/,
  ],
  'too much': [(_, response) => response.end(big), /larger than/],
  'a redirect': [
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/keys' }).end(),
    /it redirects to http:\/\/127\.0\.0\.1:1\/keys/,
  ],
  'half an answer': [
    (_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"keys":[');
      setImmediate(() => response.destroy());
    },
    /./,
  ],
};
for (const [what, [instead, reason]] of Object.entries(RUBBISH)) {
  test(`an issuer that answers ${what} changes nothing`, async () => {
    const issuer = await startIssuer(first);
    const { host, ask } = await gateOf(issuer);
    expect(await ask(first)).toBe('alice');
    issuer.instead = instead;
    expect(await ask(next)).toMatchObject(UNKNOWN);
    expect(host.log.lines).toMatchObject([
      { level: 'warn', fields: { reason: expect.stringMatching(reason) } },
    ]);
    expect(await ask(first)).toBe('alice');
  });
}

test('keys that cannot be used are passed over, and the good ones beside them taken', async () => {
  const issuer = await startIssuer(first);
  issuer.instead = (_, response) =>
    response.end(JSON.stringify({ keys: [{ kty: 'RSA', n: 'AAAA', e: 'AQAB' }, { kty: 'XYZ' }, first.jwk] }));
  const { ask } = await gateOf(issuer);
  expect(await ask(first)).toBe('alice');
});

test('a discovery document about another issuer is not believed', async () => {
  const issuer = await startIssuer(first);
  const other = issuer.url.replace('127.0.0.1', 'localhost');
  const { host, ask } = await gateOf({ url: other });
  expect(await ask(first)).toMatchObject({ status: 503 });
  expect(host.log.lines[0]!.fields.reason).toMatch(/about another issuer/);
});

test('an address where nobody listens is told with its reason', async () => {
  const { host, ask } = await gateOf({ url: `http://127.0.0.1:${await deadPort()}` });
  expect(await ask(first)).toMatchObject({ status: 503 });
  expect(host.log.lines[0]!.fields.reason).toMatch(/ECONNREFUSED/);
});

test('instances of one issuer share its keys', async () => {
  const issuer = await startIssuer(first);
  const host = testHost();
  const chains = [];
  for (const audience of ['any', 'orders']) {
    const use = useOf('jwt', { issuer: issuer.url, audience }, `jwt-${audience}`);
    const instance = await createInstance(await builtIn('jwt'), use, host);
    onTestFinished(() => instance.dispose());
    chains.push(compileChain([instance]));
  }
  const token = await signToken(first, goodClaims(host.clock.wallMs(), { iss: issuer.url }));
  for (const chain of chains)
    expect(
      await runBefore(chain, exchangeOf({ fields: { authorization: `Bearer ${token}` } })),
    ).toBeUndefined();
  expect(issuer.fetches).toBe(1);
});
