/** Tokens of every bad kind, as published lists of attacks on JSON Web Tokens have them: none of them gets in. */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Chain } from '../../src/pipeline/chain.ts';
import { runBefore } from '../../src/pipeline/run.ts';
import { encode, goodClaims, ISSUER, signHmac, signingKey, signRaw, signToken } from '../kit/issuer.ts';
import { builtInChain, exchangeOf } from '../kit/plugin.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const now = NOW_MS / 1000;
const key = await signingKey('k1');
const other = await signingKey('k1');
const rsa = await signingKey('r1', 'RS256');
const claims = goodClaims(NOW_MS);
const good = await signToken(key, claims);
const [head, body, signature] = good.split('.') as [string, string, string];

/** Payload texts are signed as they are: what JSON.stringify would never write among them. */
const payload = (more: string) =>
  signRaw(key, '{"alg":"ES256","kid":"k1"}', `${JSON.stringify(claims).slice(0, -1)},${more}}`);
const header = (text: string) => signRaw(key, text, JSON.stringify(claims));
const claimed = (more: Record<string, unknown>) => signToken(key, { ...claims, ...more });
const headed = (more: Record<string, unknown>) => signToken(key, claims, more);
const unsigned = (alg: string, tail = '') => `${encode({ alg, typ: 'JWT' })}.${body}.${tail}`;

/** The last character of a P-256 signature carries two bits that mean nothing: four spellings of the same bytes. */
const respelled = () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(signature.at(-1)!);
  return `${head}.${body}.${signature.slice(0, -1)}${alphabet[last ^ 1]}`;
};

const nested = (depth: number) => `"deep":${'['.repeat(depth)}1${']'.repeat(depth)}`;

const ATTACKS: Record<string, string | (() => string | Promise<string>)> = {
  // No signature, or one that is not checked
  'alg none': () => unsigned('none'),
  'alg none with the signature of a good one': () => unsigned('none', signature),
  'alg None': () => unsigned('None', signature),
  'alg nOnE': () => unsigned('nOnE', signature),
  'alg NONE': () => unsigned('NONE', signature),
  'alg empty': () => unsigned('', signature),
  'alg with a space': () => header('{"alg":"ES256 ","kid":"k1"}'),
  'alg in small letters': () => header('{"alg":"es256","kid":"k1"}'),
  'alg missing': () => header('{"kid":"k1"}'),
  'alg a number': () => header('{"alg":256,"kid":"k1"}'),
  'alg a list': () => header('{"alg":["ES256"],"kid":"k1"}'),
  'alg twice': () => header('{"alg":"none","alg":"ES256","kid":"k1"}'),
  'alg twice, once escaped': () => header('{"alg":"ES256","\\u0061lg":"none","kid":"k1"}'),
  'signature stripped': () => `${head}.${body}.`,
  'signature and dot stripped': () => `${head}.${body}`,
  'signature of zeros (CVE-2022-21449)': () => `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
  'signature in DER': () => `${head}.${body}.${Buffer.from('3006020100020100', 'hex').toString('base64url')}`,
  'signature too short': () => `${head}.${body}.${signature.slice(0, 43)}`,
  'signature of another key of that name': () => signToken(other, claims),
  'claims changed': () => `${head}.${encode({ ...claims, sub: 'root' })}.${signature}`,
  'header changed': () => `${encode({ alg: 'ES256', kid: 'k1', typ: 'jwt' })}.${body}.${signature}`,

  // The wrong algorithm for the key
  'HS256 with the public key (PEM) as the secret': () => signHmac(key.pem, claims, { kid: 'k1' }),
  'HS256 with the public key (PEM, trimmed)': () => signHmac(key.pem.trim(), claims, { kid: 'k1' }),
  'HS256 with the RSA public key (PEM)': () => signHmac(rsa.pem, claims, { kid: 'r1' }),
  'HS256 with the public key (JWK)': () => signHmac(JSON.stringify(key.jwk), claims, { kid: 'k1' }),
  'HS256 with x of the public key': () => signHmac(key.jwk.x!, claims, { kid: 'k1' }),
  'HS256 with an empty secret': () => signHmac('', claims, { kid: 'k1' }),
  'HS256 with "secret", no kid': () => signHmac('secret', claims),
  'RS256 named, ES256 signed': () => header('{"alg":"RS256","kid":"k1"}'),
  'ES384 named, ES256 signed': () => header('{"alg":"ES384","kid":"k1"}'),
  'ES256 with the name of an RSA key': () => header('{"alg":"ES256","kid":"r1"}'),
  'RS256 key used as PS256': async () => {
    const token = await signToken(rsa, claims);
    const [, middle, tail] = token.split('.');
    return `${encode({ alg: 'PS256', kid: 'r1' })}.${middle}.${tail}`;
  },

  // A key of the sender's own
  'jwk in the header': () => signToken(other, claims, { jwk: other.jwk }),
  'jwk in the header, no kid': () => signToken(other, claims, { jwk: other.jwk, kid: undefined }),
  'x5c in the header': () => signToken(other, claims, { x5c: ['MIIB'] }),
  'kid a path': () => signToken(other, claims, { kid: '../../../../dev/null' }),
  'kid a path with NUL': () => signToken(other, claims, { kid: 'k1\0.pem' }),
  'kid a shell command': () => signToken(other, claims, { kid: '|cat /etc/passwd' }),
  'kid SQL': () => signToken(other, claims, { kid: "k1' UNION SELECT 'AA'-- " }),
  'kid __proto__': () => signToken(other, claims, { kid: '__proto__' }),
  'kid constructor': () => signToken(other, claims, { kid: 'constructor' }),
  'kid too long': () => signToken(other, claims, { kid: 'k'.repeat(129) }),
  'kid empty': () => header('{"alg":"ES256","kid":""}'),
  'kid a number': () => header('{"alg":"ES256","kid":1}'),
  'kid an object': () => header('{"alg":"ES256","kid":{"k1":1}}'),
  'kid null': () => header('{"alg":"ES256","kid":null}'),
  'HS256 signed with the empty file that kid points at': () =>
    signHmac('', claims, { kid: '../../../../dev/null' }),

  // Extensions and types
  'crit of an unknown extension': () => header('{"alg":"ES256","kid":"k1","crit":["exp"],"exp":1}'),
  'crit empty': () => header('{"alg":"ES256","kid":"k1","crit":[]}'),
  'b64 false': () => header('{"alg":"ES256","kid":"k1","crit":["b64"],"b64":false}'),
  'typ of a logout token': () => headed({ typ: 'logout+jwt' }),
  'typ of a DPoP proof': () => headed({ typ: 'dpop+jwt' }),
  'typ a number': () => header('{"alg":"ES256","kid":"k1","typ":1}'),
  'an encrypted token': () => `${encode({ alg: 'dir', enc: 'A128GCM' })}..AAAA.AAAA.AAAA`,
  'a token in a token': async () => signRaw(key, '{"alg":"ES256","kid":"k1","cty":"JWT"}', good),
  'the JSON form of a token': () => JSON.stringify({ protected: head, payload: body, signature }),

  // Times
  'exp missing': () => claimed({ exp: undefined }),
  'exp over': () => claimed({ exp: now - 31 }),
  'exp 0': () => claimed({ exp: 0 }),
  'exp negative': () => claimed({ exp: -1 }),
  'exp as text': () => claimed({ exp: String(now + 60) }),
  'exp null': () => claimed({ exp: null }),
  'exp true': () => claimed({ exp: true }),
  'exp a list': () => claimed({ exp: [now + 60] }),
  'exp an object': () => claimed({ exp: { valueOf: now + 60 } }),
  'exp without end': () =>
    signRaw(key, '{"alg":"ES256","kid":"k1"}', `{"iss":"${ISSUER}","sub":"a","aud":"orders","exp":1e999}`),
  'exp NaN': () =>
    signRaw(key, '{"alg":"ES256","kid":"k1"}', `{"iss":"${ISSUER}","sub":"a","aud":"orders","exp":NaN}`),
  'exp twice': () => payload(`"exp":${now + 9999}`),
  'exp twice, once escaped': () => payload(`"e\\u0078p":${now + 9999}`),
  'nbf ahead': () => claimed({ nbf: now + 31 }),
  'nbf as text': () => claimed({ nbf: String(now - 60) }),
  'iat ahead': () => claimed({ iat: now + 31 }),
  'iat a list': () => claimed({ iat: [] }),

  // For whom and by whom
  'aud missing': () => claimed({ aud: undefined }),
  'aud another': () => claimed({ aud: 'billing' }),
  'aud with ours as its beginning': () => claimed({ aud: 'orders-admin' }),
  'aud in other letters': () => claimed({ aud: 'Orders' }),
  'aud list without ours': () => claimed({ aud: ['billing', 'users'] }),
  'aud list empty': () => claimed({ aud: [] }),
  'aud list that holds a list': () => claimed({ aud: [['orders']] }),
  'aud an object': () => claimed({ aud: { orders: true } }),
  'aud list with a number': () => claimed({ aud: ['orders', 1] }),
  'iss missing': () => claimed({ iss: undefined }),
  'iss another': () => claimed({ iss: 'https://evil.example/' }),
  'iss without its slash': () => claimed({ iss: ISSUER.slice(0, -1) }),
  'iss with ours as its beginning': () => claimed({ iss: `${ISSUER}evil` }),
  'iss with ours in it': () => claimed({ iss: `https://evil.example/?${ISSUER}` }),
  'iss in capitals': () => claimed({ iss: ISSUER.toUpperCase() }),
  'iss a list': () => claimed({ iss: [ISSUER] }),
  'iss __proto__': () => claimed({ iss: '__proto__' }),
  'iss twice': () => payload('"iss":"https://evil.example/"'),
  'sub missing': () => claimed({ sub: undefined }),
  'sub empty': () => claimed({ sub: '' }),
  'sub an object': () => claimed({ sub: { id: 'alice' } }),
  'sub twice': () => payload('"sub":"root"'),
  'sub twice, deep inside': () => payload('"act":{"sub":"a","sub":"b"}'),

  // Other spellings of a good one
  'padded parts': () => `${head}=.${body}=.${signature}=`,
  'padded signature': () => `${good}==`,
  'another spelling of the signature': respelled,
  'base64 instead of base64url': () => Buffer.from(good, 'utf8').toString('base64'),
  'plus and slash in the signature': () => `${head}.${body}.+/${signature.slice(2)}`,
  'a space inside': () => `${head}. ${body}.${signature}`,
  'a tab inside': () => `${head}.${body}.${signature.slice(0, 5)}\t${signature.slice(5)}`,
  'a percent sign': () => `${good}%3d`,
  'four parts': () => `${good}.${signature}`,
  'five parts': () => `${good}..`,
  'an empty header': () => `.${body}.${signature}`,
  'an empty payload': () => `${head}..${signature}`,
  'dots only': '..',
  'a quoted token': () => `"${good}"`,
  'two tokens': () => `${good},${good}`,
  'two tokens with a space': () => `${good} ${good}`,
  'letters that look alike': () => good.replace(/e/, '\u0435'),
  'a zero-width space': () => `${good}\u200b`,
  'text that is no UTF-8': () =>
    `${head}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${signature}`,
  'a byte order mark before the claims': () =>
    signRaw(key, '{"alg":"ES256","kid":"k1"}', `\ufeff${JSON.stringify(claims)}`),

  // Payloads that are none
  'claims a list': () => signRaw(key, '{"alg":"ES256","kid":"k1"}', JSON.stringify([claims])),
  'claims null': () => signRaw(key, '{"alg":"ES256","kid":"k1"}', 'null'),
  'claims a text': () => signRaw(key, '{"alg":"ES256","kid":"k1"}', '"alice"'),
  'claims cut off': () => signRaw(key, '{"alg":"ES256","kid":"k1"}', JSON.stringify(claims).slice(0, -1)),
  'claims with something after them': () =>
    signRaw(key, '{"alg":"ES256","kid":"k1"}', `${JSON.stringify(claims)}{}`),
  'nested too deep': () => payload(nested(33)),
  'nested without measure': () => payload(nested(5000)),
  'too large': () => claimed({ filler: 'x'.repeat(17_000) }),
  'not a token at all': 'letmein',
  'an API key': 'sk_live_0123456789abcdef',
  'nothing after the scheme': '',
};

const gate = (): Promise<Chain> =>
  builtInChain(['jwt', { issuer: ISSUER, audience: 'orders', keys: [key.jwk, rsa.jwk] }]);

for (const [name, made] of Object.entries(ATTACKS)) {
  test(`${name} is refused`, async () => {
    const token = typeof made === 'string' ? made : await made();
    const x = exchangeOf({ fields: { authorization: `Bearer ${token}` } });
    const outcome = await runBefore(await gate(), x);
    expect(outcome).toMatchObject({ status: 401, error: { code: 'GW_UNAUTHENTICATED' } });
    expect(outcome!.fields['www-authenticate']).toMatch(
      /^Bearer realm="api", error="invalid_token", error_description="[a-z ]+"$/,
    );
    expect(x.principal).toBeNull();
  });
}

test('the good one that all of them were made from gets in', async () => {
  const chain = await gate();
  for (const token of [
    good,
    await signToken(rsa, claims),
    await headed({ typ: undefined }),
    await headed({ kid: undefined }),
  ]) {
    const x = exchangeOf({ fields: { authorization: `Bearer ${token}` } });
    expect([await runBefore(chain, x), x.principal?.id]).toEqual([undefined, 'alice']);
  }
});

test('every bad one is still refused after the good one is remembered', async () => {
  const chain = await gate();
  const ask = (token: string) => {
    const x = exchangeOf({ fields: { authorization: `Bearer ${token}` } });
    return Promise.resolve(runBefore(chain, x)).then((outcome) => outcome?.status ?? x.principal?.id);
  };
  expect(await ask(good)).toBe('alice');
  for (const made of Object.values(ATTACKS))
    expect(await ask(typeof made === 'string' ? made : await made())).toBe(401);
  expect(await ask(good)).toBe('alice');
});

test('two Authorization headers are no choice', async () => {
  const x = exchangeOf({ fields: { authorization: [`Bearer ${good}`, 'Bearer x'] } });
  expect(await runBefore(await gate(), x)).toMatchObject({ status: 401 });
});

test('no address that a token names is ever asked', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.end(JSON.stringify({ keys: [other.jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const chain = await gate();
  for (const more of [
    { jku: url },
    { x5u: url },
    { jku: url, kid: undefined },
    { jwk: other.jwk, jku: url },
  ]) {
    const x = exchangeOf({ fields: { authorization: `Bearer ${await signToken(other, claims, more)}` } });
    expect(await runBefore(chain, x)).toMatchObject({ status: 401 });
  }
  const evil = exchangeOf({
    fields: { authorization: `Bearer ${await signToken(other, { ...claims, iss: new URL(url).origin })}` },
  });
  expect(await runBefore(chain, evil)).toMatchObject({ status: 401 });
  expect(asked).toBe(0);
});

test('a secret and a public key are never in one set, and weak keys in none', async () => {
  const secret = 'a secret of more than thirty-two bytes';
  const settings = (more: Record<string, unknown>) =>
    builtInChain(['jwt', { issuer: ISSUER, audience: 'any', ...more }]);
  const oct = { kty: 'oct', k: encode(secret) };
  await expect(settings({ keys: [key.jwk, oct] })).rejects.toThrow(/mixes secrets and public keys/);
  await expect(settings({ secret: 'short' })).rejects.toThrow(/at least 32 bytes/);
  await expect(settings({ keys: [{ kty: 'oct', k: encode('short') }] })).rejects.toThrow(/secret of 5 bytes/);
  await expect(settings({ keys: [{ ...rsa.jwk, n: encode('x'.repeat(128)) }] })).rejects.toThrow(
    /RSA key of 1023 bits/,
  );
  await expect(settings({ keys: [{ ...key.jwk, alg: 'none' }] })).rejects.toThrow(/no known algorithm/);
  await expect(settings({ keys: [{ ...key.jwk, d: 'AAAA' }] })).rejects.toThrow(/private key/);
  const chain = await settings({ secret });
  const ask = (token: string) =>
    runBefore(chain, exchangeOf({ fields: { authorization: `Bearer ${token}` } }));
  expect(await ask(signHmac(secret, claims))).toBeUndefined();
  expect(await ask(good)).toMatchObject({ status: 401 });
  expect(await ask(signHmac(createHmac('sha256', secret).digest('hex'), claims))).toMatchObject({
    status: 401,
  });
});
