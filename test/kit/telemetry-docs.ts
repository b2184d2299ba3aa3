/** Writes the reference pages on errors, metrics, logs and the admin server from the tables in the source. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RESOURCES } from '../../src/admin/resources.ts';
import { type GatewayCode, KINDS, type Retry } from '../../src/kernel/errors.ts';
import { ADVICE } from '../../src/telemetry/advice.ts';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { ACCESS_FIELDS } from '../../src/telemetry/log-fields.ts';
import { REDACTED } from '../../src/telemetry/logger.ts';
import { BOUNDS_MS } from '../../src/telemetry/meters.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { VALUE_LIMIT } from '../../src/telemetry/text.ts';
import { createManualClock } from './clock.ts';

const GENERATED =
  '<!-- Generated from the source by test/unit/telemetry/docs.test.ts; run it with UPDATE=1 after a change. -->';

const cell = (text: string) => text.replaceAll('|', '\\|');
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
const code = (text: string) => `\`${text}\``;
const fence = (language: string, text: string) => `\`\`\`${language}\n${text.trim()}\n\`\`\``;
const page = (...parts: string[]) => `${parts.join('\n\n')}\n`;

const WHO = { client: 'the client', upstream: 'the upstream', gateway: 'the gateway' } as const;
const RETRIED: Readonly<Record<Retry, string>> = {
  never: 'never',
  unsent: 'always safe: nothing was sent',
  reused: 'when nothing of the answer came and the body can be sent again',
  idempotent: 'for idempotent methods',
};

/** docs/errors.md */
export function errorsPage(): string {
  const codes = Object.keys(KINDS) as GatewayCode[];
  const group = (source: keyof typeof WHO) => {
    const rows = codes
      .filter((name) => KINDS[name].source === source)
      .map((name) => {
        const { status, title, retry, proxyStatus } = KINDS[name];
        const type = proxyStatus === null ? '–' : code(proxyStatus);
        return [
          `<a id="${name.toLowerCase()}"></a>${code(name)}`,
          String(status),
          `${title} ${ADVICE[name]}`,
          RETRIED[retry],
          type,
        ];
      });
    return table(['code', 'status', 'meaning, and what to look at', 'tried again', 'RFC 9209'], rows);
  };
  return page(
    '# How a request can end',
    GENERATED,
    'Each request ends with one code. `-` means that all went well as far as the gateway is concerned: an error that the upstream itself answered is passed on untouched and has `-` too. Any other code says that the gateway gave the answer, or had to break it off.',
    'The same code stands in the body of the error, in the access log (`code`), in the metrics (`code`) and in `Proxy-Status`. The body is a problem document (RFC 9457); it carries the trace ID, by which the line of the access log is found:',
    fence(
      'json',
      '{\n  "title": "The upstream did not answer in time.",\n  "status": 504,\n  "code": "GW_UPSTREAM_TIMEOUT",\n  "traceId": "7012345678901234567"\n}',
    ),
    'The tables are ordered by who was at fault. “Tried again” says when another try is safe; whether there is one depends on the retries of the upstream. The last column is the error type in `Proxy-Status`.',
    '## The client',
    group('client'),
    '## The upstream',
    group('upstream'),
    '## The gateway',
    group('gateway'),
  );
}

const QUERIES: readonly (readonly [string, string])[] = [
  [
    'Share of requests that fail on our side, by route',
    'sum by (route) (rate(snowgate_requests_total{status=~"5.."}[5m]))\n  / sum by (route) (rate(snowgate_requests_total[5m]))',
  ],
  [
    '99th percentile of the whole request, by route',
    'histogram_quantile(0.99, sum by (route, le) (rate(snowgate_request_duration_seconds_bucket[5m])))',
  ],
  [
    'Mean time of a request that was not spent waiting for the upstream: the gateway’s own and the transfer’s',
    '(sum(rate(snowgate_request_duration_seconds_sum[5m])) - sum(rate(snowgate_upstream_duration_seconds_sum[5m])))\n  / sum(rate(snowgate_request_duration_seconds_count[5m]))',
  ],
  [
    'Attempts that failed, by endpoint and reason',
    'sum by (upstream, endpoint, code) (rate(snowgate_upstream_attempts_total{code!="-"}[5m])) > 0',
  ],
];

/** Alert rules that work as they are; also checked by promtool. */
export const ALERTS_FILE = fileURLToPath(new URL('../../examples/alerts.yaml', import.meta.url));
export const ALERTS = readFileSync(ALERTS_FILE, 'utf8');

/** Every series that the docs' queries and alerts name. */
export const QUERY_TEXT = [...QUERIES.map(([, query]) => query), ALERTS].join('\n');

/** docs/metrics.md */
export async function metricsPage(): Promise<string> {
  const metrics = createMetrics({ clock: createManualClock(), version: '0' });
  const scraped = await metrics.render();
  const own = Object.values(FAMILIES).map(({ name, type, labels, help }) => [
    code(name),
    type,
    labels.map(code).join(', '),
    help,
  ]);
  const standard = [...scraped.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)/gm)]
    .filter(([, name]) => !name!.startsWith('snowgate_'))
    .map(([, name, help, type]) => [code(name!), type!, help!]);
  return page(
    '# Metrics',
    GENERATED,
    'The admin address serves them at `/metrics` in Prometheus’ text format; no token is needed for that.',
    fence(
      'yaml',
      'scrape_configs:\n  - job_name: snowgate\n    static_configs:\n      - targets: [127.0.0.1:8081]',
    ),
    'Nothing that a client can choose becomes a label: paths, users and addresses are in the [access log](logs.md). Methods that are not known are `_OTHER`; a status that is not registered is its class, such as `2xx`. The series of routes, upstreams, endpoints and plugins that are gone from the configuration are deleted. Codes are those of [errors.md](errors.md).',
    table(['name', 'type', 'labels', 'meaning'], own),
    `Upper bounds of the durations’ buckets, in seconds: ${BOUNDS_MS.map((ms) => ms / 1000).join(', ')}.`,
    'A plugin’s own counters are `snowgate_plugin_<name>_total` with the label `instance` and those that it declares; past 100 different sets of values an instance’s counter puts the rest under `_OTHER`.',
    '## Questions to ask',
    ...QUERIES.flatMap(([title, query]) => [`${title}:`, fence('promql', query)]),
    '## Alerts',
    'Rules to start from, in [examples/alerts.yaml](../examples/alerts.yaml):',
    fence('yaml', ALERTS),
    '## Process and runtime',
    'The usual metrics of Node, so that ready-made dashboards work:',
    table(['name', 'type', 'meaning'], standard),
  );
}

/** docs/logs.md */
export function logsPage(line: string): string {
  const fields = ACCESS_FIELDS.map(({ name, type, always, meaning }) => [
    code(name),
    type,
    always ? 'always' : 'when known',
    meaning,
  ]);
  return page(
    '# Logs',
    GENERATED,
    'Everything goes to standard output, one JSON object a line; on a terminal it is printed shorter and in colour. `log` tells the two kinds apart: `access` is the line that each request leaves, `gateway` is what the gateway has to say itself.',
    '## The access log',
    'One line for each request, written after its last byte, whatever its end was:',
    fence('json', line),
    table(['field', 'type', 'there', 'meaning'], fields),
    `Durations are milliseconds with three decimals. A text of the client’s making is cut after ${VALUE_LIMIT} characters, then ends in \`…\`. Control characters are escaped, so one request is always one line.`,
    'Lines are gathered for at most 100 ms or 16 KiB. When whoever reads the log is too slow, 4 MiB wait for it; then lines are dropped and counted in `snowgate_access_log_dropped_lines_total`. Neither requests nor the end of the process wait for the log.',
    'Find a request by the trace ID from its answer, and the slowest of a file:',
    fence(
      'sh',
      `grep '"traceId":"7012345678901234567"' gateway.log\ngrep '"log":"access"' gateway.log | jq -s 'sort_by(-.durationMs) | .[:10]'`,
    ),
    '## The gateway’s own lines',
    table(
      ['field', 'type', 'there', 'meaning'],
      [
        [
          code('level'),
          'string',
          'always',
          '`debug`, `info`, `warn` or `error`; `log.level` sets from which on lines are written.',
        ],
        [code('time'), 'string', 'always', 'ISO 8601, UTC, milliseconds.'],
        [code('log'), 'string', 'always', '`gateway`.'],
        [code('plugin'), 'string', 'when known', 'Name of the plugin instance that wrote the line.'],
        [code('traceId'), 'string', 'when known', 'The request that the line is about.'],
        [code('msg'), 'string', 'always', 'What happened, in words.'],
        [
          code('error'),
          'object',
          'when known',
          'An error: `type`, `message`, `stack`, and `code` for those of [errors.md](errors.md).',
        ],
      ],
    ),
    `Other fields belong to the message. The values of fields with these names are never written: ${REDACTED.map(code).join(', ')}.`,
  );
}

/** docs/admin.md */
export function adminPage(): string {
  const rows = RESOURCES.map(({ method, path, open, summary }) => [
    code(`${method} ${path}`),
    open ? 'no' : 'yes',
    summary,
  ]);
  return page(
    '# The admin server',
    GENERATED,
    'A listener of its own, apart from the traffic, at the address under `admin`. Answers are JSON; refusals are problem documents (RFC 9457). HEAD works wherever GET does.',
    table(['resource', 'token', 'what it gives'], rows),
    '## Who may ask',
    'On a loopback address (`127.0.0.1`, `::1`) everyone on the machine may ask for everything. At any other address the resources marked “yes” need a token, and are refused (403) where none is set; probes and metrics are always open.',
    fence('yaml', `admin: { address: 0.0.0.0:8081, token: "\${ADMIN_TOKEN}" }`),
    fence('sh', 'curl -H "authorization: Bearer $TOKEN" http://10.0.0.5:8081/routes'),
    'Web pages that a user of the machine happens to visit are kept out: on a loopback address the Host must be `localhost` or an IP address (421), an Origin of another page is refused (403), and a POST needs `content-type: application/json`, the header `x-snowgate: 1` or a token (415).',
    fence('sh', "curl -X POST -H 'x-snowgate: 1' http://127.0.0.1:8081/reload"),
    '## Limits',
    'Heads up to 8 KiB, bodies up to 16 KiB where one is taken, 5 seconds for a request to arrive, 128 connections.',
  );
}
