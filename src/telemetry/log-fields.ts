/** The fields of an access log line: the one list that the writer, the tests and the docs share. */
import { DEGRADED } from '../wire/degraded.ts';

export interface LogField {
  readonly name: string;
  readonly type: 'string' | 'number' | 'boolean';
  /** False: the field is left out when there is nothing to tell. */
  readonly always: boolean;
  readonly meaning: string;
}

const field = (name: string, type: LogField['type'], always: boolean, meaning: string): LogField => ({
  name,
  type,
  always,
  meaning,
});

const degraded = Object.entries(DEGRADED)
  .map(([word, meaning]) => `\`${word}\` (${meaning})`)
  .join(', ');

/** In the order of the line. */
export const ACCESS_FIELDS: readonly LogField[] = [
  field('log', 'string', true, '`access`: tells these lines from the gateway’s own (`gateway`).'),
  field('time', 'string', true, 'When the head of the request was complete: ISO 8601, UTC, milliseconds.'),
  field(
    'traceId',
    'string',
    true,
    'The trace ID, as in `x-trace-id` and in error bodies; `0` while none can be made, since the clock went backwards too far.',
  ),
  field(
    'method',
    'string',
    true,
    'The request’s method; `-` where the listener refused before it was known.',
  ),
  field('host', 'string', true, 'The host that was asked for, lower case, with its port if one was given.'),
  field('path', 'string', true, 'The canonical path, without the query.'),
  field(
    'query',
    'boolean',
    true,
    'Whether there was a query. Its text is not logged: queries carry secrets.',
  ),
  field('version', 'string', true, 'HTTP version on the client’s side.'),
  field('status', 'number', true, 'The status sent to the client; 499 when it left before any of the body.'),
  field('code', 'string', true, '`-` when all went well, else one of the codes of [errors.md](errors.md).'),
  field(
    'closing',
    'string',
    true,
    '`sent`: all of the answer was sent; `left`: the client went away; `cut`: the gateway broke off.',
  ),
  field('durationMs', 'number', true, 'From the head of the request to the last byte of the answer.'),
  field('upstreamMs', 'number', false, 'Time spent waiting for the upstream. Left out when none was asked.'),
  field('gatewayMs', 'number', false, 'Time the gateway itself took.'),
  field('inBytes', 'number', true, 'Bytes of the request body that were read.'),
  field('outBytes', 'number', true, 'Bytes of the response body that were written.'),
  field('route', 'string', true, 'Name of the route.'),
  field('upstream', 'string', false, 'Name of the upstream. Left out when none was chosen.'),
  field('endpoint', 'string', false, '`host:port` of the attempt that was answered, else of the last one.'),
  field(
    'attempts',
    'number',
    true,
    'How many times an endpoint was tried; more than 1 means retries, or a hedge.',
  ),
  field(
    'parts',
    'string',
    false,
    'Of an aggregate: each part with its code (`-` when all went well) and its time in milliseconds; with `each`, its calls and the elements that are missing.',
  ),
  field('client', 'string', true, 'The client’s address, after `trustedProxies` were taken into account.'),
  field('userAgent', 'string', false, 'The `User-Agent` field.'),
  field('principal', 'string', false, 'Who the request was for, when a plugin authenticated it.'),
  field('detail', 'string', false, 'What the code doesn’t say: which rule, which address, how many bytes.'),
  field('degraded', 'string', false, `What the request had to do without: ${degraded}.`),
  field('receivedTraceId', 'string', false, 'An `x-trace-id` that the client itself had sent.'),
  field('w3cTraceId', 'string', false, 'The trace ID of `traceparent` (W3C), 32 hex digits.'),
];
