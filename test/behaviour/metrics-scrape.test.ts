import { afterEach, expect, test } from 'vitest';
import { type Admin, createAdmin } from '../../src/admin/admin.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { outcome, parseScrape } from '../kit/telemetry.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
let admin: Admin | null = null;
afterEach(async () => {
  await admin?.close();
  admin = null;
});

const start = async () => {
  const metrics = createMetrics({ clock: systemClock, version: '1.2.3' });
  const sources = {
    metrics: () => metrics.render(),
    ready: () => ({ ready: true, why: [], degraded: [] }),
    routes: () => [],
    upstreams: () => [],
    endpoints: () => [],
    push: () => null,
    config: () => ({}),
    version: () => ({}),
    reload: async () => ({ ok: true, message: '' }),
  };
  admin = createAdmin({ host: '127.0.0.1', port: 0, token: null, sources, log: quiet });
  await admin.listen();
  const scrape = async () => {
    const answer = await fetch(`http://127.0.0.1:${admin!.port}/metrics`);
    expect(answer.headers.get('content-type')).toBe(metrics.contentType);
    return parseScrape(await answer.text());
  };
  return { metrics, scrape };
};

test('a scrape has the gateway’s, the process’s and the runtime’s metrics', async () => {
  const { metrics, scrape } = await start();
  metrics.route('orders').end(outcome());
  const series = await scrape();
  expect(series.get('snowgate_requests_total{code="-",method="GET",route="orders",status="200"}')).toBe(1);
  expect(series.get(`snowgate_build_info{node="${process.version}",version="1.2.3"}`)).toBe(1);
  expect(series.get('process_start_time_seconds')).toBeGreaterThan(1e9);
  expect(series.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  expect([...series.keys()].some((name) => name.startsWith('nodejs_eventloop_lag'))).toBe(true);
});

test('counters never fall from one scrape to the next while requests go on', async () => {
  const { metrics, scrape } = await start();
  const route = metrics.route('orders');
  const name = 'snowgate_requests_total{code="-",method="GET",route="orders",status="200"}';
  let going = true;
  const load = () => {
    route.begin();
    route.end(outcome());
    if (going) setImmediate(load);
  };
  load();
  let before = 0;
  for (let round = 0; round < 10; round++) {
    const series = await scrape();
    const now = series.get(name)!;
    expect(now).toBeGreaterThan(before);
    const finite = series.get('snowgate_request_duration_seconds_bucket{le="+Inf",route="orders"}');
    expect(finite).toBe(series.get('snowgate_request_duration_seconds_count{route="orders"}'));
    before = now;
  }
  going = false;
});

test('a scrape of ten thousand series lets others have their turn in between', async () => {
  const { metrics } = await start();
  for (let at = 0; at < 300; at++) metrics.route(`route-${at}`).end(outcome());
  let turns = 0;
  let going = true;
  const turn = () => {
    turns++;
    if (going) setImmediate(turn);
  };
  turn();
  const text = await metrics.render();
  going = false;
  expect(text.split('\n').length).toBeGreaterThan(10_000);
  expect(turns).toBeGreaterThan(20);
});

test('a plugin whose counter goes away during a scrape does not break it', async () => {
  const { metrics } = await start();
  metrics.pluginCounter('a', { name: 'gone', help: 'Gone.', labels: [] });
  const text = metrics.render();
  metrics.retain({ routes: new Set(), upstreams: new Set(), instances: new Set() });
  expect(await text).toContain('snowgate_build_info');
  expect(await text).not.toContain('snowgate_plugin_gone_total');
});
