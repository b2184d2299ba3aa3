/** The deadline header through the whole gateway: told to upstreams, obeyed from trusted callers, forged by nobody. */
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin, startRawOrigin } from '../kit/gateway-origin.ts';

const OWN = 'x-envoy-expected-rq-timeout-ms';

test('an upstream hears how long is left of the route’s time, whatever a stranger claims', async () => {
  const origin = await startOrigin();
  const { ask } = await startTestGateway(`
routes: [{ path: /**, upstream: "${origin.url}", timeout: 5s }]
`);
  await ask('/', { headers: { [OWN]: '1', 'grpc-timeout': '1m' } });
  const { headers } = origin.reached[0]!;
  expect(Number(headers[OWN])).toBeGreaterThan(3000);
  expect(Number(headers[OWN])).toBeLessThanOrEqual(5000);
  expect(headers['grpc-timeout']).toBeUndefined();
});

test('a shorter time from a trusted caller is kept to and passed on; a longer one changes nothing', async () => {
  const silent = await startRawOrigin((socket) => socket.resume());
  const origin = await startOrigin();
  const gateway = await startTestGateway(`
trustedProxies: [127.0.0.1]
routes:
  - { path: /silent, upstream: "${silent.url}", timeout: 20s }
  - { path: /**, upstream: "${origin.url}", timeout: 5s }
`);
  const late = await gateway.ask('/silent', { headers: { [OWN]: '200' } });
  expect([late.status, JSON.parse(late.body).code]).toEqual([504, 'GW_TIMEOUT']);
  const { durationMs } = await gateway.line(({ path }) => path === '/silent');
  expect(durationMs).toBeGreaterThanOrEqual(200);
  expect(durationMs).toBeLessThan(5000);

  await gateway.ask('/', { headers: { [OWN]: '900' } });
  await gateway.ask('/', { headers: { [OWN]: '60000' } });
  const told = origin.reached.map(({ headers }) => Number(headers[OWN]));
  expect(told[0]).toBeLessThanOrEqual(900);
  expect(told[1]).toBeGreaterThan(3000);
  expect(told[1]).toBeLessThanOrEqual(5000);
});
