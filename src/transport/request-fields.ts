/** The fields of a request as undici takes them, and the checks that come before. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body } from '../wire/body.ts';
import type { RequestHead } from '../wire/heads.ts';

/**
 * Never sent on from `fields`: the connection's own (RFC 9110 section 7.6.1), what frames the message (re-made
 * here), and `expect`, which the gateway answers itself.
 */
const NOT_SENT = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Names and values in turn, `host` first; undici takes a flat array fastest. */
export function requestFields(head: RequestHead, body: Body | null): (string | string[])[] {
  const flat: (string | string[])[] = ['host', head.authority];
  const fields = head.fields;
  for (const name in fields) {
    if (!NOT_SENT.has(name)) flat.push(name, fields[name]!);
  }
  if (body !== null && body.length !== null && body.length > 0) {
    flat.push('content-length', String(body.length));
  }
  return flat;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const NOT_IN_PATH = /[^\x21\x22\x24-\xff]/;

const goodValue = (value: unknown) => typeof value === 'string' && !NOT_IN_VALUE.test(value);

const badRequestLine = (head: RequestHead): string | null => {
  if (head.method === 'CONNECT' || !TOKEN.test(head.method)) return 'method';
  if (head.path.charCodeAt(0) !== 47 || NOT_IN_PATH.test(head.path)) return 'path';
  if (head.query !== '' && (head.query.charCodeAt(0) !== 63 || NOT_IN_PATH.test(head.query))) return 'query';
  return head.authority === '' ? 'host' : null;
};

const badField = (head: RequestHead): string | null => {
  if (!goodValue(head.authority)) return 'host';
  for (const name in head.fields) {
    const value = head.fields[name];
    const good = Array.isArray(value) ? value.every(goodValue) : goodValue(value);
    if (!good || !TOKEN.test(name)) return name;
  }
  return null;
};

/** GW_BAD_REQUEST when the method, path, query or authority cannot be sent: `#` and absolute forms never leave. */
export function unfitRequestLine(head: RequestHead): GatewayError | null {
  const line = badRequestLine(head);
  return line === null ? null : gatewayError('GW_BAD_REQUEST', `invalid ${line}`);
}

/** The same, or GW_INTERNAL when a field cannot be sent: something in the gateway has made it. */
export function unfitRequest(head: RequestHead): GatewayError | null {
  const line = unfitRequestLine(head);
  if (line !== null) return line;
  const field = badField(head);
  return field === null ? null : gatewayError('GW_INTERNAL', `invalid field ${JSON.stringify(field)}`);
}

/** The fields of a WebSocket handshake, for node:http. */
export function upgradeFields(head: RequestHead): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  fields.host = head.authority;
  fields.connection = 'Upgrade';
  fields.upgrade = 'websocket';
  for (const name in head.fields) {
    if (!NOT_SENT.has(name)) fields[name] = head.fields[name]!;
  }
  return fields;
}
