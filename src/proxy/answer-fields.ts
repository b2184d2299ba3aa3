/** What the gateway adds to the head of every answer. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import { type Fields, fieldText } from '../wire/fields.ts';
import { proxyStatus } from './proxy-status.ts';
import { appendVia } from './via.ts';

const round = (ms: number) => Math.round(ms * 1000) / 1000;

const append = (fields: Fields, name: string, value: string) => {
  const before = fieldText(fields, name);
  fields[name] = before === undefined || before === '' ? value : `${before}, ${value}`;
};

/** `gateway;dur=…, upstream;dur=…` in milliseconds: the time up to this head, split by who spent it. */
export function serverTiming(x: LiveExchange): string {
  const wholeMs = x.clock.nowMs() - x.startMs;
  if (x.upstreamMs < 0) return `gateway;dur=${round(wholeMs)}`;
  return `gateway;dur=${round(Math.max(0, wholeMs - x.upstreamMs))}, upstream;dur=${round(x.upstreamMs)}`;
}

/** Sets the trace ID, Via on what came from an upstream, Proxy-Status, Server-Timing and Retry-After. */
export function addAnswerFields(x: LiveExchange, reply: Reply, viaName: string): void {
  const fields = reply.fields;
  fields['x-trace-id'] = x.id;
  // RFC 9110 section 7.6.3: Via tells of messages that were passed on, not of our own.
  if (reply.by === 'upstream') appendVia(fields, '1.1', viaName);
  if (x.client.trusted) append(fields, 'server-timing', serverTiming(x));
  else if (reply.error === null) return;
  const status = proxyStatus(x, reply);
  if (status !== null) append(fields, 'proxy-status', status);
  // Every refusal for lack of room or of an endpoint passes by itself.
  if (reply.error !== null && reply.status === 503) fields['retry-after'] ??= '1';
}
