/** The keys that keep an upstream healthy: active checks, outlier ejection, circuit breaker, caps and their queue. */
import { z } from 'zod';
import { duration, form, integer, percent, percentOrOff, Refusal, text } from './forms.ts';
import type { Report } from './report.ts';
import type {
  BreakerCause,
  BreakerOptions,
  HealthOptions,
  Resilience,
  StatusRange,
} from './resilience-options.ts';
import { choice, oneOrMany, section, table } from './shapes.ts';
import type { ConfigPath } from './types.ts';

const off = form<null>({
  form: 'off',
  json: { enum: ['off', false] },
  takes: ['string', 'boolean'],
  remedy: 'Write off, or a map of settings.',
  read: (value) => (value === 'off' || value === false ? null : new Refusal('is not off')),
});

const CHECK_TIMEOUT_MS = 1000;

/** `2xx` or one status. */
const expected = form<StatusRange>({
  form: 'a status, or a class such as `2xx`',
  json: { type: ['string', 'integer'], pattern: '^[1-5](xx|[0-9]{2})$', minimum: 100, maximum: 599 },
  takes: ['string', 'number'],
  remedy: 'Write a status such as 204, or a class such as 2xx.',
  read: (value) => {
    const word = String(value);
    if (!/^[1-5](xx|\d\d)$/.test(word)) return new Refusal('is no status');
    return [Number(word.replace('xx', '00')), Number(word.replace('xx', '99'))];
  },
});

const failure = form<BreakerCause>({
  form: '`connect`, `reset`, `timeout`, `5xx` or a status from 500 to 599',
  json: {
    anyOf: [
      { enum: ['connect', 'reset', 'timeout', '5xx'] },
      { type: 'integer', minimum: 500, maximum: 599 },
    ],
  },
  takes: ['string', 'number'],
  remedy: 'Choose from connect, reset, timeout, 5xx, or a status from 500 to 599.',
  read: (value) => {
    if (value === 'connect' || value === 'reset' || value === 'timeout' || value === '5xx') return value;
    const status = Number(value);
    if (status >= 400 && status < 500)
      return new Refusal('is no failure of the upstream: 4xx is the fault of the client');
    return Number.isInteger(status) && status >= 500 && status <= 599
      ? status
      : new Refusal('is no failure that is counted');
  },
});

const health = section({
  type: choice('http', 'tcp', 'grpc')
    .prefault('http')
    .describe('What is asked: a GET, a connection, or grpc.health.v1.'),
  path: text({ form: 'a path', check: (value) => checkPath(value) })
    .optional()
    .describe('Path of the GET, with its query if it has one; needed for type http.'),
  port: integer(1, 65_535).optional().describe('Port to ask; default: the port of the endpoint.'),
  host: text({ form: 'a host', max: 255 })
    .optional()
    .describe('Host to send with the check; default: the name of the endpoint.'),
  headers: table(text({ form: 'text' })).describe('Headers to send with the check.'),
  service: text({ form: 'a name', max: 255 })
    .optional()
    .describe('Service that gRPC asks about; default: the whole server.'),
  expect: oneOrMany(expected).prefault(['2xx']).describe('Statuses that say healthy.'),
  interval: duration(100).prefault('2s').describe('From one check of an endpoint to the next.'),
  timeout: duration()
    .optional()
    .describe('Longest wait for the answer to a check; default: 1s, or `interval` where that is shorter.'),
  fall: integer(1, 100).prefault(3).describe('Failed checks in a row that take an endpoint out.'),
  rise: integer(1, 100).prefault(2).describe('Passed checks in a row that bring it back.'),
  jitter: percent().prefault('10%').describe('How much earlier or later a check may come.'),
});

const outlier = section({
  failures: integer(1, 10_000)
    .prefault(5)
    .describe('Failures in a row (5xx, connection, timeout) that eject an endpoint.'),
  ejectFor: duration()
    .prefault('30s')
    .describe('How long the first ejection lasts; the next lasts twice that, then three times, and so on.'),
  maxEjectFor: duration().prefault('300s').describe('Longest ejection.'),
});

const breaker = section({
  errorRate: percent().prefault('50%').describe('Part of the calls that must fail for it to open.'),
  slowAfter: duration()
    .prefault('5s')
    .describe('From the end of the request to the response head; what takes longer is slow.'),
  slowRate: percentOrOff()
    .prefault('off')
    .describe('Part of the calls that must be slow for it to open; off: slowness alone does not open it.'),
  minimum: integer(1, 1_000_000).prefault(20).describe('Calls within the window before it can open.'),
  window: duration(1000).prefault('10s').describe('How far back calls are counted.'),
  openFor: duration().prefault('5s').describe('How long it stays open before it lets three calls try.'),
  on: oneOrMany(failure)
    .prefault(['connect', 'reset', 'timeout', '5xx'])
    .describe('What counts as a failure; 4xx never does.'),
});

const adaptive = section({
  tolerance: percent()
    .prefault('25%')
    .describe('How much longer than without load calls may take before the limit falls.'),
  min: integer(1, 1_000_000).prefault(8).describe('Requests that are always let through.'),
});

/** `true` stands for the defaults. */
const on = form<z.output<typeof adaptive> | null>({
  form: 'true or off',
  json: { enum: [true, false, 'off'] },
  takes: ['boolean', 'string'],
  remedy: 'Write true or off, or a map of settings.',
  read: (value) => {
    if (value === true) return adaptive.parse({});
    return value === false || value === 'off' ? null : new Refusal('is neither true nor off');
  },
});

const concurrency = section({
  endpoint: integer(1, 1_000_000).prefault(1024).describe('Requests in flight at one endpoint.'),
  upstream: z
    .union([integer(1, 10_000_000), off])
    .prefault('off')
    .describe('Requests in flight at all endpoints together; off: only `endpoint` counts.'),
  adaptive: z
    .union([adaptive, on])
    .prefault('off')
    .describe(
      'Finds by latency how many requests the upstream carries; `upstream` and `endpoint` still hold.',
    ),
  streams: integer(0, 1_000_000)
    .prefault(10_000)
    .describe(
      'Open WebSockets, event streams and gRPC streams at one endpoint that do not count as requests.',
    ),
  queue: integer(0, 1_000_000)
    .prefault(1024)
    .describe('Requests that wait for a place at the upstream, at most; the next gets 503.'),
  queueTimeout: duration().prefault('1s').describe('Longest wait for a place.'),
});

/** The keys of an upstream that this file is about. */
export const resilienceShape = {
  health: z
    .union([health, off])
    .optional()
    .describe('Asks every endpoint whether it is healthy; default: nobody asks.'),
  outlier: z
    .union([outlier, off])
    .prefault({})
    .describe('Ejects an endpoint that does worse than the others; off switches it off.'),
  breaker: z
    .union([breaker, off])
    .prefault({})
    .describe('Circuit breaker: answers at once while most calls fail; off switches it off.'),
  concurrency: concurrency.prefault({}).describe('How much the endpoints are given at once.'),
};

const whole = z.object(resilienceShape);
type Input = z.output<typeof whole>;

function checkPath(value: string): Refusal | null {
  return /^\/[\x21\x22\x24-\x7e]*$/.test(value) ? null : new Refusal('is no path', 'Write it as /healthz.');
}

const lowerCase = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const readHealth = (input: NonNullable<Input['health']>): HealthOptions => ({
  type: input.type,
  path: input.path ?? '/',
  port: input.port ?? null,
  host: input.host ?? null,
  headers: lowerCase(input.headers),
  service: input.service ?? '',
  expect: input.expect,
  intervalMs: input.interval,
  timeoutMs: input.timeout ?? Math.min(CHECK_TIMEOUT_MS, input.interval),
  fall: input.fall,
  rise: input.rise,
  jitter: input.jitter,
});

const readBreaker = (input: NonNullable<Input['breaker']>): BreakerOptions => ({
  errorRate: input.errorRate,
  slowAfterMs: input.slowAfter,
  slowRate: input.slowRate,
  minimum: input.minimum,
  windowMs: input.window,
  openForMs: input.openFor,
  on: input.on,
});

/** From the file's keys to the options that the gateway reads. */
export function readResilience({
  health: check,
  outlier: eject,
  breaker: cut,
  concurrency: caps,
}: Input): Resilience {
  return {
    health: check === undefined || check === null ? null : readHealth(check),
    outlier: eject && {
      failures: eject.failures,
      ejectForMs: eject.ejectFor,
      maxEjectForMs: eject.maxEjectFor,
    },
    breaker: cut && readBreaker(cut),
    concurrency: {
      endpoint: caps.endpoint,
      upstream: caps.upstream,
      adaptive: caps.adaptive,
      streams: caps.streams,
      queue: caps.queue,
      queueTimeoutMs: caps.queueTimeout,
    },
  };
}

/** Reports what the keys of an upstream mean together, and what cannot be. */
export function checkResilience(report: Report, input: Input, path: ConfigPath): void {
  const { health: check, outlier: eject } = input;
  const at = [...path, 'health'];
  if (check !== undefined && check !== null) {
    if (check.type === 'http' && check.path === undefined)
      report.on(at, {
        message: '`path` is missing',
        remedy: 'Name the path that tells how the service does, such as /healthz, or write `type: tcp`.',
      });
    if (check.timeout !== undefined && check.timeout > check.interval)
      report.on([...at, 'timeout'], {
        message: 'this is longer than `interval`, so checks would overlap',
        remedy: 'Make `timeout` at most as long as `interval`.',
      });
  }
  if (eject !== null && eject.maxEjectFor < eject.ejectFor)
    report.on([...path, 'outlier', 'maxEjectFor'], {
      message: 'this is shorter than `ejectFor`',
      remedy: 'Make it at least as long.',
    });
}
