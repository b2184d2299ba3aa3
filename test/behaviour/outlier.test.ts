/** Outlier ejection in the whole gateway: one bad endpoint among good ones, on real sockets. */
import { expect, test } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';

const yamlOf = (targets: readonly string[], more = '') => `
upstreams:
  orders: { targets: [${targets.map((url) => `"${url}"`).join(', ')}], outlier: { ejectFor: 1s${more} } }
routes: [{ name: orders, path: /**, upstream: orders }]
`;

test('one of three that always fails costs five requests, and is seen in log, metrics and state', async () => {
  const bad = await startOrigin((_, response) => response.writeHead(500).end());
  const good = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(yamlOf([bad.url, good[0]!.url, good[1]!.url], ', failures: 5'));
  let failed = 0;
  for (let n = 0; n < 600; n++) if ((await gateway.ask('/')).status !== 200) failed++;
  expect(failed).toBeGreaterThanOrEqual(5);
  expect(failed).toBe(bad.reached.length);
  // Each second it is tried again by five requests; without ejection it would be 200.
  expect(failed).toBeLessThan(60);
  const ejected = await gateway.logged('an endpoint is ejected');
  expect(ejected).toMatchObject({ level: 'warn', upstream: 'orders', endpoint: bad.endpoint });
  expect(ejected.why).toBe('5 failures in a row, the last: status 500');
  const series = await gateway.series();
  const labels = `{endpoint="${bad.endpoint}",upstream="orders"}`;
  expect(series.get(`snowgate_endpoint_ejections_total${labels}`)).toBeGreaterThanOrEqual(1);
});

test('under one percent of errors after the first five', async () => {
  const bad = await startOrigin((_, response) => response.writeHead(500).end());
  const good = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(yamlOf([bad.url, good[0]!.url, good[1]!.url]).replace('1s', '30s'));
  const statuses: number[] = [];
  for (let n = 0; n < 1000; n++) statuses.push((await gateway.ask('/')).status);
  expect(statuses.filter((status) => status === 500)).toHaveLength(5);
  expect(gateway.gateway.describeUpstreams()[0]!.endpoints[0]).toMatchObject({
    endpoint: bad.endpoint,
    available: false,
    out: ['ejected'],
    ejections: 1,
  });
  const series = await gateway.series();
  const labels = `{endpoint="${bad.endpoint}",upstream="orders"}`;
  expect(series.get(`snowgate_endpoint_healthy${labels}`)).toBe(0);
});

test('good heads with half a body are failures: five in a row, and it is left alone', async () => {
  const bad = await startOrigin((request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => request.socket.resetAndDestroy());
  });
  const good = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(yamlOf([bad.url, good[0]!.url, good[1]!.url]).replace('1s', '30s'));
  let cut = 0;
  for (let n = 0; n < 100; n++) if (!(await gateway.ask('/')).whole) cut++;
  expect(cut).toBe(5);
  expect((await gateway.logged('an endpoint is ejected')).why).toBe(
    '5 failures in a row, the last: GW_UPSTREAM_CUT',
  );
});

test('the only endpoint is never ejected, and of two one stays', async () => {
  const origins = [0, 1].map(() => startOrigin((_, response) => response.writeHead(500).end()));
  const [a, b] = await Promise.all(origins);
  const off = ', breaker: off }';
  const one = await startTestGateway(yamlOf([a!.url]).replace('} }', `}${off}`));
  for (let n = 0; n < 30; n++) expect((await one.ask('/')).status).toBe(500);
  expect(a!.reached).toHaveLength(30);
  const two = await startTestGateway(yamlOf([a!.url, b!.url]).replace('} }', `}${off}`));
  for (let n = 0; n < 30; n++) await two.ask('/');
  expect(two.gateway.describeUpstreams()[0]!.endpoints.filter(({ available }) => available)).toHaveLength(1);
});
