/** The csrf plugin: what a browser sends on behalf of which page. */
import { expect, test } from 'vitest';
import { runBefore } from '../../../src/pipeline/run.ts';
import { builtInChain, configIssues, type ExchangeOptions, exchangeOf } from '../../kit/plugin.ts';

const SITE = 'sec-fetch-site';
const CASES: [request: ExchangeOptions, passes: boolean][] = [
  [{ method: 'POST' }, true],
  [{ method: 'POST', fields: { [SITE]: 'same-origin' } }, true],
  [{ method: 'POST', fields: { [SITE]: 'none' } }, true],
  [{ method: 'POST', fields: { [SITE]: 'same-site' } }, false],
  [{ method: 'POST', fields: { [SITE]: 'cross-site' } }, false],
  [{ method: 'POST', fields: { [SITE]: 'SAME-ORIGIN' } }, false],
  [{ method: 'POST', fields: { [SITE]: '' } }, false],
  [{ method: 'POST', fields: { [SITE]: ['same-origin', 'cross-site'] } }, false],
  [{ method: 'PUT', fields: { [SITE]: 'cross-site', origin: 'http://gateway.test' } }, false],
  [{ method: 'DELETE', fields: { [SITE]: 'cross-site', origin: 'https://partner.example' } }, true],
  [{ method: 'DELETE', fields: { [SITE]: 'cross-site', origin: 'https://a.shop.example' } }, true],
  [{ method: 'POST', fields: { origin: 'http://gateway.test' } }, true],
  [{ method: 'POST', fields: { origin: 'https://gateway.test' } }, true],
  [{ method: 'POST', fields: { origin: 'http://gateway.test:81' } }, false],
  [{ method: 'POST', authority: 'GATEWAY.test:81', fields: { origin: 'http://gateway.test:81' } }, true],
  [{ method: 'POST', fields: { origin: 'http://gateway.test.evil.example' } }, false],
  [{ method: 'POST', fields: { origin: 'https://evil.example' } }, false],
  [{ method: 'POST', fields: { origin: 'null' } }, false],
  [{ method: 'POST', fields: { origin: ['http://gateway.test', 'https://evil.example'] } }, false],
  [{ method: 'PROPFIND', fields: { origin: 'https://evil.example' } }, false],
  [{ method: 'GET', fields: { [SITE]: 'cross-site' } }, true],
  [{ method: 'GET', fields: { origin: 'https://evil.example', 'sec-websocket-key': 'k' } }, false],
  [{ method: 'GET', fields: { origin: 'http://gateway.test', 'sec-websocket-key': 'k' } }, true],
  [{ method: 'GET', fields: { 'sec-websocket-key': 'k' } }, true],
  [{ method: 'HEAD', fields: { [SITE]: 'cross-site' } }, true],
  [{ method: 'OPTIONS', fields: { origin: 'https://evil.example' } }, true],
];
for (const [request, passes] of CASES) {
  test(`${JSON.stringify(request)} ${passes ? 'passes' : 'is refused'}`, async () => {
    const origins = ['https://partner.example', 'https://*.shop.example'];
    const outcome = await runBefore(await builtInChain(['csrf', { origins }]), exchangeOf(request));
    if (passes) expect(outcome).toBeUndefined();
    else expect(outcome).toMatchObject({ status: 403, error: { code: 'GW_ORIGIN_REFUSED' } });
  });
}

test('what is no origin is refused', async () => {
  for (const text of ['*', 'shop.example', 'https://shop.example/', 'null'])
    expect(await configIssues('csrf', { origins: [text] })).toMatchObject([{ path: ['origins', 0] }]);
});
