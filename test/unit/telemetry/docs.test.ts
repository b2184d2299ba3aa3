import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FAMILIES } from '../../../src/telemetry/families.ts';
import { createJsonLine } from '../../../src/telemetry/json-line.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createManualClock } from '../../kit/clock.ts';
import { outcome } from '../../kit/telemetry.ts';
import {
  ALERTS,
  ALERTS_FILE,
  adminPage,
  errorsPage,
  logsPage,
  metricsPage,
  QUERY_TEXT,
} from '../../kit/telemetry-docs.ts';

const compare = (name: string, wanted: string) => {
  const path = fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));
  if (process.env.UPDATE) writeFileSync(path, wanted);
  expect(readFileSync(path, 'utf8'), `docs/${name} is out of date: run this test with UPDATE=1`).toBe(wanted);
};

test('docs/errors.md tells of every code', () => compare('errors.md', errorsPage()));

// Elsewhere Node offers fewer metrics of the process.
test.runIf(process.platform === 'linux')('docs/metrics.md tells of every metric', async () =>
  compare('metrics.md', await metricsPage()),
);

test('docs/logs.md tells of every field', () => {
  const example = outcome({ w3cId: '4bf92f3577b34da6a3ce929d0e0e4736', hasQuery: true });
  compare('logs.md', logsPage(createJsonLine()(example)));
});

test('docs/admin.md tells of every resource', () => compare('admin.md', adminPage()));

test('the queries and alerts of the docs name metrics and labels that exist', () => {
  const families = Object.values(FAMILIES);
  const named = new Set(QUERY_TEXT.match(/snowgate_\w+/g));
  for (const name of named) {
    const plain = name.replace(/_(bucket|sum|count)$/, '');
    expect(
      families.some((family) => family.name === name || family.name === plain),
      name,
    ).toBe(true);
  }
  expect(named.size).toBeGreaterThan(5);
});

const promtool = spawnSync('promtool', ['--version']).status === 0;

test.runIf(promtool)('promtool has nothing to say about the scrape', async () => {
  const metrics = createMetrics({ clock: createManualClock(), version: '1.2.3' });
  const route = metrics.route('a "quoted"\\ name');
  route.begin();
  route.end(outcome({ method: 'BREW', status: 299, code: 'GW_INTERNAL' }));
  metrics.upstream('u').endpoint('[::1]:80').inFlight = 1;
  metrics.upstream('u').endpoint('[::1]:80').count(0, 'GW_DNS');
  metrics.upstream('u').endpoint('[::1]:80').connections = 1;
  metrics.listener(':8080').refuse('GW_BAD_HOST');
  metrics.started('abc');
  metrics.traceWorker(3, 'random');
  metrics.pluginCounter('say', { name: 'said', help: 'Said.', labels: ['word'] }).add(1, { word: 'é\n"' });
  const checked = spawnSync('promtool', ['check', 'metrics'], {
    input: await metrics.render(),
    encoding: 'utf8',
  });
  expect(checked.stdout + checked.stderr).toBe('');
  expect(checked.status).toBe(0);
});

test.runIf(promtool)('promtool takes the alerts of the docs', () => {
  const checked = spawnSync('promtool', ['check', 'rules', ALERTS_FILE], { encoding: 'utf8' });
  expect(checked.stderr).toBe('');
  expect(checked.stdout).toContain(`${ALERTS.match(/- alert:/g)?.length} rules found`);
});
