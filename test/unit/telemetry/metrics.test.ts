import { expect, test } from 'vitest';
import { FAMILIES } from '../../../src/telemetry/families.ts';
import { CODES, METHODS } from '../../../src/telemetry/labels.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { SERIES_LIMIT } from '../../../src/telemetry/plugin-counters.ts';
import { createManualClock } from '../../kit/clock.ts';
import { outcome, parseScrape } from '../../kit/telemetry.ts';

const start = () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const metrics = createMetrics({ clock, version: '1.2.3', process: false });
  const scrape = async () => parseScrape(await metrics.render());
  return { clock, metrics, scrape };
};
const count = (series: Map<string, number>, start: string) =>
  [...series.keys()].filter((name) => name.startsWith(start)).length;

test('counts requests by route, method, status and code', async () => {
  const { metrics, scrape } = start();
  const route = metrics.route('orders');
  for (let at = 0; at < 3; at++) {
    route.begin();
    route.end(outcome());
  }
  route.begin();
  route.end(outcome({ method: 'POST', status: 504, code: 'GW_UPSTREAM_TIMEOUT', inBytes: 7 }));
  const series = await scrape();
  expect(series.get('snowgate_requests_total{code="-",method="GET",route="orders",status="200"}')).toBe(3);
  expect(
    series.get(
      'snowgate_requests_total{code="GW_UPSTREAM_TIMEOUT",method="POST",route="orders",status="504"}',
    ),
  ).toBe(1);
  expect(series.get('snowgate_request_body_bytes_total{route="orders"}')).toBe(7);
  expect(series.get('snowgate_response_body_bytes_total{route="orders"}')).toBe(4 * 512);
});

test('the same name gives the same meter', () => {
  const { metrics } = start();
  expect(metrics.route('a')).toBe(metrics.route('a'));
  expect(metrics.upstream('a').endpoint('b')).toBe(metrics.upstream('a').endpoint('b'));
  expect(metrics.listener('a')).toBe(metrics.listener('a'));
});

test('shows what is in flight', async () => {
  const { metrics, scrape } = start();
  const route = metrics.route('orders');
  route.begin();
  route.begin();
  route.end(outcome());
  expect((await scrape()).get('snowgate_requests_in_flight{route="orders"}')).toBe(1);
});

test('a duration falls into the first bucket that holds it, and buckets add up', async () => {
  const { metrics, scrape } = start();
  const route = metrics.route('r');
  for (const totalMs of [0.5, 1, 1.001, 30_000, 30_001]) route.end(outcome({ totalMs, upstreamMs: -1 }));
  const series = await scrape();
  const bucket = (le: string) => series.get(`snowgate_request_duration_seconds_bucket{le="${le}",route="r"}`);
  expect([bucket('0.001'), bucket('0.0025'), bucket('10'), bucket('30'), bucket('+Inf')]).toEqual([
    2, 3, 3, 4, 5,
  ]);
  expect(series.get('snowgate_request_duration_seconds_count{route="r"}')).toBe(5);
  expect(series.get('snowgate_request_duration_seconds_sum{route="r"}')).toBeCloseTo(60.003501, 9);
  expect(series.get('snowgate_upstream_duration_seconds_count{route="r"}')).toBe(0);
});

test('tunnels are counted apart and do not spoil the durations', async () => {
  const { metrics, scrape } = start();
  const route = metrics.route('r');
  route.begin();
  route.tunnelOpened();
  route.tunnelOpened();
  route.tunnelClosed();
  route.end(outcome({ status: 101, totalMs: 3_600_000 }));
  const series = await scrape();
  expect(series.get('snowgate_tunnels_open{route="r"}')).toBe(1);
  expect(series.get('snowgate_tunnels_total{route="r"}')).toBe(2);
  expect(series.get('snowgate_request_duration_seconds_count{route="r"}')).toBe(0);
});

test('neither methods nor statuses of other people’s making grow the series', async () => {
  const { metrics, scrape } = start();
  const route = metrics.route('r');
  for (let at = 0; at < 500; at++) {
    route.end(outcome({ method: `X${at}`, status: 100 + at }));
    route.end(outcome({ method: 'GET', status: 599 - (at % 50) }));
  }
  const series = await scrape();
  expect(series.get('snowgate_requests_total{code="-",method="_OTHER",route="r",status="200"}')).toBe(1);
  expect(
    series.get('snowgate_requests_total{code="-",method="_OTHER",route="r",status="2xx"}'),
  ).toBeGreaterThan(80);
  expect(count(series, 'snowgate_requests_total{')).toBeLessThan(90);
  const all = [...series].filter(([name]) => name.startsWith('snowgate_requests_total{'));
  expect(all.reduce((sum, [, value]) => sum + value, 0)).toBe(1000);
});

test('each method and code keeps a series of its own', async () => {
  const { metrics, scrape } = start();
  const route = metrics.route('r');
  for (const method of METHODS) for (const code of CODES) route.end(outcome({ method, code }));
  expect(count(await scrape(), 'snowgate_requests_total{')).toBe(METHODS.length * CODES.length);
});

test('counts attempts at an endpoint by class of status and code', async () => {
  const { metrics, scrape } = start();
  const endpoint = metrics.upstream('orders').endpoint('10.0.0.1:80');
  endpoint.inFlight = 1;
  endpoint.count(200, '-');
  endpoint.count(0, 'GW_CONNECT_REFUSED');
  endpoint.healthy = false;
  const series = await scrape();
  const where = 'endpoint="10.0.0.1:80"';
  expect(
    series.get(`snowgate_upstream_attempts_total{code="-",${where},status="2xx",upstream="orders"}`),
  ).toBe(1);
  expect(
    series.get(
      `snowgate_upstream_attempts_total{code="GW_CONNECT_REFUSED",${where},status="none",upstream="orders"}`,
    ),
  ).toBe(1);
  expect(series.get(`snowgate_endpoint_in_flight{${where},upstream="orders"}`)).toBe(1);
  expect(series.get(`snowgate_endpoint_healthy{${where},upstream="orders"}`)).toBe(0);
  expect(count(series, 'snowgate_endpoint_connections')).toBe(0);
  endpoint.connections = 4;
  expect((await scrape()).get(`snowgate_endpoint_connections{${where},upstream="orders"}`)).toBe(4);
});

test('an attempt can be counted by those who know from elsewhere what is in flight', async () => {
  const { metrics, scrape } = start();
  const endpoint = metrics.upstream('u').endpoint('h:1');
  endpoint.count(503, '-');
  const series = await scrape();
  expect(
    series.get('snowgate_upstream_attempts_total{code="-",endpoint="h:1",status="5xx",upstream="u"}'),
  ).toBe(1);
  expect(series.get('snowgate_endpoint_in_flight{endpoint="h:1",upstream="u"}')).toBe(0);
});

test('counts connections and refusals of listeners', async () => {
  const { metrics, scrape } = start();
  const listener = metrics.listener(':8080');
  listener.opened();
  listener.opened();
  listener.closed();
  listener.refuse('GW_BAD_REQUEST');
  listener.refuse('GW_BAD_REQUEST');
  const series = await scrape();
  expect(series.get('snowgate_listener_connections{listener=":8080"}')).toBe(1);
  expect(series.get('snowgate_listener_refused_total{code="GW_BAD_REQUEST",listener=":8080"}')).toBe(2);
});

test('tells which configuration runs, since when, and how reloads went', async () => {
  const { clock, metrics, scrape } = start();
  metrics.started('aaa');
  clock.advance(5000);
  metrics.reloaded(null);
  let series = await scrape();
  expect(series.get('snowgate_config_info{hash="aaa"}')).toBe(1);
  expect(series.get('snowgate_config_last_reload_successful')).toBe(0);
  expect(series.get('snowgate_config_last_reload_success_timestamp_seconds')).toBe(
    Date.UTC(2026, 0, 1) / 1000,
  );
  metrics.reloaded('bbb');
  series = await scrape();
  expect(series.get('snowgate_config_reloads_total{result="ok"}')).toBe(1);
  expect(series.get('snowgate_config_reloads_total{result="refused"}')).toBe(1);
  expect(count(series, 'snowgate_config_info')).toBe(1);
  expect(series.get('snowgate_config_info{hash="bbb"}')).toBe(1);
  expect(series.get('snowgate_config_last_reload_successful')).toBe(1);
  expect(series.get('snowgate_config_last_reload_success_timestamp_seconds')).toBe(
    Date.UTC(2026, 0, 1) / 1000 + 5,
  );
});

test('deletes the series of what is gone and keeps the rest', async () => {
  const { metrics } = start();
  metrics.route('old').end(outcome());
  metrics.route('kept').end(outcome());
  metrics.upstream('old').endpoint('a:1').count(200, '-');
  const kept = metrics.upstream('kept');
  kept.endpoint('a:1').count(200, '-');
  kept.endpoint('b:1').count(200, '-');
  metrics.pluginCounter('gone', { name: 'seen', help: 'Seen.', labels: [] }).add();
  metrics.pluginCounter('here', { name: 'seen', help: 'Seen.', labels: [] }).add(2);
  metrics.pluginCounter('gone', { name: 'other', help: 'Other.', labels: [] }).add();
  metrics.retain({ routes: new Set(['kept']), upstreams: new Set(['kept']), instances: new Set(['here']) });
  kept.retain(new Set(['b:1']));
  const text = await metrics.render();
  expect(text).not.toContain('"old"');
  expect(text).not.toContain('a:1');
  expect(text).not.toContain('gone');
  expect(text).not.toContain('snowgate_plugin_other_total');
  const series = parseScrape(text);
  expect(series.get('snowgate_requests_total{code="-",method="GET",route="kept",status="200"}')).toBe(1);
  expect(series.get('snowgate_plugin_seen_total{instance="here"}')).toBe(2);
});

test('a plugin counter starts at 0 and has at most 100 series, the rest in one', async () => {
  const { metrics, scrape } = start();
  metrics.pluginCounter('a', { name: 'plain', help: 'Plain.', labels: [] });
  const by = metrics.pluginCounter('a', { name: 'by_user', help: 'By user.', labels: ['user'] });
  for (let at = 0; at < 1000; at++) by.add(1, { user: `u${at}` });
  by.add(-5, { user: 'u1' });
  const series = await scrape();
  expect(series.get('snowgate_plugin_plain_total{instance="a"}')).toBe(0);
  expect(series.get('snowgate_plugin_by_user_total{instance="a",user="u1"}')).toBe(1);
  expect(series.get('snowgate_plugin_by_user_total{instance="a",user="_OTHER"}')).toBe(1000 - SERIES_LIMIT);
  expect(count(series, 'snowgate_plugin_by_user_total')).toBe(SERIES_LIMIT + 1);
});

test.each([
  [{ name: 'Bad-Name', help: '', labels: [] }, 'no name'],
  [{ name: 'x', help: '', labels: ['le-'] }, 'no name'],
  [{ name: 'x', help: '', labels: ['instance'] }, 'set by the gateway'],
  [{ name: 'taken', help: '', labels: ['b'] }, 'exists with the labels'],
])('refuses the plugin counter %j', (spec, message) => {
  const { metrics } = start();
  metrics.pluginCounter('a', { name: 'taken', help: '', labels: ['a'] });
  expect(() => metrics.pluginCounter('b', spec)).toThrow(message);
});

test('label values are escaped', async () => {
  const { metrics } = start();
  metrics.route('a"b\\c\nd').end(outcome());
  expect(await metrics.render()).toContain('route="a\\"b\\\\c\\nd"');
});

test('every family is in the scrape with its help and type', async () => {
  const { metrics } = start();
  const text = await metrics.render();
  for (const { name, type, help } of Object.values(FAMILIES)) {
    expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  }
});

test('scrapes at the same time share one', () => {
  const { metrics } = start();
  expect(metrics.render()).toBe(metrics.render());
});
