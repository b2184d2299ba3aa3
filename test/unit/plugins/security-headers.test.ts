/** The security-headers plugin: what answers tell browsers, and what they no longer tell of the software behind. */
import { expect, test } from 'vitest';
import { runResponse } from '../../../src/pipeline/run.ts';
import { reply } from '../../../src/plugin.ts';
import { builtInChain, configIssues, exchangeOf } from '../../kit/plugin.ts';

const answered = async (
  config: unknown,
  fields: Record<string, string> = {},
  scheme: 'http' | 'https' = 'https',
) => {
  const x = exchangeOf();
  Object.assign(x.client, { scheme });
  const answer = await runResponse(await builtInChain(['security-headers', config]), x, reply(200, fields));
  return { ...answer.fields };
};

const USUAL = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'strict-origin-when-cross-origin',
};

test('the usual ones are set, and the software behind is not named', async () => {
  expect(await answered({}, { server: 'x', 'X-Powered-By': 'y', 'x-powered-by': 'z' })).toMatchObject({
    ...USUAL,
    'strict-transport-security': 'max-age=31536000',
  });
  expect(await answered({}, { server: 'x', 'x-powered-by': 'z' })).not.toHaveProperty('server');
});

test('browsers are not told to keep to https over http', async () => {
  expect(await answered({}, {}, 'http')).toEqual(USUAL);
});

test("the upstream's own stay, unless these are to win", async () => {
  const own = { 'x-frame-options': 'SAMEORIGIN', 'strict-transport-security': 'max-age=1' };
  expect(await answered({}, own)).toMatchObject(own);
  expect(await answered({ replace: true }, own)).toMatchObject({
    'x-frame-options': 'DENY',
    'strict-transport-security': 'max-age=31536000',
  });
});

test('each can be had otherwise, or not at all', async () => {
  expect(
    await answered({
      hsts: '730d',
      subdomains: true,
      preload: true,
      frame: 'sameorigin',
      csp: "default-src 'self'",
      permissions: 'camera=()',
    }),
  ).toEqual({
    ...USUAL,
    'x-frame-options': 'SAMEORIGIN',
    'content-security-policy': "default-src 'self'",
    'permissions-policy': 'camera=()',
    'strict-transport-security': 'max-age=63072000; includeSubDomains; preload',
  });
  expect(await answered({ hsts: false, frame: false, referrer: false, remove: [] }, { server: 'x' })).toEqual(
    {
      'x-content-type-options': 'nosniff',
      server: 'x',
    },
  );
});

test('what preload lists would not take is refused', async () => {
  for (const config of [{ preload: true }, { preload: true, subdomains: true, hsts: '30d' }])
    expect(await configIssues('security-headers', config)).toMatchObject([{ path: ['preload'] }]);
  expect(await configIssues('security-headers', { csp: 'a\nb' })).toMatchObject([{ path: ['csp'] }]);
});
