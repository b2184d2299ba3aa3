/** The head that goes upstream: who asked, the trace, our Via, and nothing that belongs to the client's connection. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import { type Fields, fieldText } from '../wire/fields.ts';
import { dropDeadline } from './deadline.ts';
import { setForwarded } from './forwarded.ts';
import { dropHopByHop } from './hop-by-hop.ts';
import { appendVia } from './via.ts';

export interface RequestHeadOptions {
  /** `keep` sends the client's Host, `upstream` the endpoint's own (set per attempt), anything else itself. */
  readonly hostHeader: string;
  /** Our name in Via. */
  readonly viaName: string;
}

/** Only `trailers` may be asked of the upstream: any other coding is between the client and us. */
const narrowTe = (fields: Fields) => {
  const te = fieldText(fields, 'te');
  if (te === undefined) return;
  if (/(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i.test(te)) fields.te = 'trailers';
  else delete fields.te;
};

/** A trace of our own has no state of the client's vendors; without tracing, neither field goes on. */
const setTrace = (fields: Fields, traceparent: string | null) => {
  if (traceparent === null) {
    delete fields.traceparent;
    delete fields.tracestate;
    return;
  }
  const before = fields.traceparent;
  const continued = typeof before === 'string' && before.slice(3, 35) === traceparent.slice(3, 35);
  if (!continued) delete fields.tracestate;
  fields.traceparent = traceparent;
};

/**
 * Writes on `x.request` what every upstream is told. Once per exchange, before the `request` hooks, so that what
 * these set stays as they set it.
 */
export function prepareRequest(x: LiveExchange, options: RequestHeadOptions): void {
  const fields = x.request.fields;
  dropHopByHop(fields);
  delete fields.expect;
  delete fields['http2-settings'];
  delete fields['proxy-authorization'];
  dropDeadline(fields);
  narrowTe(fields);
  setForwarded(x);
  fields['x-trace-id'] = x.id;
  setTrace(fields, x.traceparent);
  appendVia(fields, x.down.version, options.viaName);
  if (options.hostHeader !== 'keep' && options.hostHeader !== 'upstream') {
    x.request.authority = options.hostHeader;
  }
}

/** The endpoint as a Host: the default ports are left out, as every client does. */
export function endpointHost(endpoint: string): string {
  return endpoint.replace(/:(?:80|443)$/, '');
}
