/** Reads a finished exchange as the access log and the metrics want it. */
import { type GatewayError, KINDS } from '../kernel/errors.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Outcome } from '../telemetry/outcome.ts';
import type { Closing } from '../wire/downstream.ts';
import { fieldText } from '../wire/fields.ts';
import type { Peer } from '../wire/heads.ts';

export interface Ending {
  readonly how: Closing;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** One object for all requests: it is read before the next one ends. */
export class ExchangeOutcome implements Outcome {
  startWallMs = 0;
  totalMs = 0;
  upstreamMs = -1;
  gatewayMs = -1;
  id = '';
  receivedId = '';
  w3cId = '';
  method = '';
  host = '';
  path = '';
  hasQuery = false;
  version = '';
  status = 0;
  code: Outcome['code'] = '-';
  detail = '';
  degraded = '';
  closing: Closing = 'sent';
  inBytes = 0;
  outBytes = 0;
  route = '';
  upstream = '';
  endpoint = '';
  attempts = 0;
  parts = '';
  client = '';
  userAgent = '';
  principal = '';

  /** Takes over all that is known of the exchange at its end. */
  read(x: LiveExchange, ending: Ending): this {
    const { received } = x;
    const { fields } = received;
    const nowMs = x.clock.nowMs();
    this.startWallMs = x.startWallMs;
    this.totalMs = nowMs - x.startMs;
    this.upstreamMs = x.upstreamMs;
    this.gatewayMs = gatewayMs(x, nowMs);
    this.id = x.id;
    const claimed = fields['x-trace-id'];
    this.receivedId = claimed === undefined || claimed === x.id ? '' : String(claimed).slice(0, 64);
    this.w3cId = x.traceparent === null ? '' : x.traceparent.slice(3, 35);
    this.method = received.method;
    this.host = received.authority;
    this.path = received.path;
    this.hasQuery = received.query !== '';
    this.version = x.down.version;
    this.closing = ending.how;
    this.code = x.error === null ? (ending.how === 'left' ? 'GW_CLIENT_LEFT' : '-') : x.error.code;
    this.detail = x.error === null ? '' : x.error.detail;
    this.degraded = x.degraded;
    // A head leaves with the first bytes of its body: who left before them has seen no status.
    const unseen = ending.how === 'left' && ending.outBytes === 0 && x.status !== 101;
    this.status = x.status === 0 || unseen ? KINDS.GW_CLIENT_LEFT.status : x.status;
    this.inBytes = ending.inBytes;
    this.outBytes = ending.outBytes;
    this.route = x.route.name;
    this.upstream = x.upstream;
    this.attempts = x.attempts.length;
    this.parts = x.parts;
    // Of several calls at once none is the last one.
    this.endpoint = x.parts === '' ? (x.lastAttempt?.endpoint ?? '') : '';
    this.client = x.client.address;
    this.userAgent = fieldText(fields, 'user-agent') ?? '';
    this.principal = x.principal === null ? '' : x.principal.id;
    return this;
  }

  /** Takes over a request that the listener refused before there was an exchange. */
  readRefused(
    error: GatewayError,
    peer: Peer,
    { id, startWallMs }: { readonly id: string; readonly startWallMs: number },
  ): this {
    Object.assign(this, new ExchangeOutcome());
    this.startWallMs = startWallMs;
    this.id = id;
    this.method = '-';
    this.version = '-';
    this.route = '-';
    this.status = error.status;
    this.code = error.code;
    this.detail = error.detail;
    this.client = peer.address;
    return this;
  }
}

/** Until the upstream was asked, and after its head was there until ours left: all but the waiting for it. */
const gatewayMs = (x: LiveExchange, nowMs: number): number => {
  if (x.upstreamMs < 0) return nowMs - x.startMs;
  return x.headMs < 0 ? -1 : x.headMs - x.startMs - x.upstreamMs;
};
