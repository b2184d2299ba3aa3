/** The head of a request as it is written to a socket, and the checks that come before. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body } from '../wire/body.ts';
import { type Fields, isFieldValue } from '../wire/fields.ts';
import type { RequestHead } from '../wire/heads.ts';
import { lowerToken } from './token.ts';

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

/** Methods whose requests have a body by their meaning: a length of 0 says that this one has none. */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH']);

const NOT_IN_PATH = /[^\x21\x22\x24-\x7e]/;

const goodValue = (value: unknown) => typeof value === 'string' && isFieldValue(value);

const badRequestLine = (head: RequestHead): string | null => {
  if (head.method === 'CONNECT' || lowerToken(head.method) === null) return 'method';
  if (head.path.charCodeAt(0) !== 47 || NOT_IN_PATH.test(head.path)) return 'path';
  if (head.query !== '' && (head.query.charCodeAt(0) !== 63 || NOT_IN_PATH.test(head.query))) return 'query';
  return head.authority === '' ? 'host' : null;
};

const unfitLine = (head: RequestHead): GatewayError | null => {
  const line = badRequestLine(head);
  return line === null ? null : gatewayError('GW_BAD_REQUEST', `invalid ${line}`);
};

const unfitField = (name: string): GatewayError =>
  gatewayError('GW_INTERNAL', `invalid field ${JSON.stringify(name)}`);

/** The line or lines of one field, none when it is not to be sent on; null when it cannot be. */
const fieldLines = (given: string, value: string | string[]): string | null => {
  // A plugin may have written it in capitals, which must not lead round the list.
  const name = lowerToken(given);
  if (name === null) return null;
  if (NOT_SENT.has(name)) return '';
  if (typeof value === 'string') return isFieldValue(value) ? `${name}: ${value}\r\n` : null;
  if (!Array.isArray(value) || !value.every(goodValue)) return null;
  return value.map((one) => `${name}: ${one}\r\n`).join('');
};

const framing = (method: string, body: Body | null): string => {
  if (body === null || body.length === 0) return WITH_BODY.has(method) ? 'content-length: 0\r\n' : '';
  return body.length === null ? 'transfer-encoding: chunked\r\n' : `content-length: ${body.length}\r\n`;
};

/**
 * The whole head, with its framing and the blank line. Or why it cannot be sent: GW_BAD_REQUEST for method, path, query
 * or authority (`#` and absolute forms never leave), GW_INTERNAL for a field, since something in the gateway made it.
 */
export function requestText(head: RequestHead, body: Body | null): string | GatewayError {
  const unfit = unfitLine(head);
  if (unfit !== null) return unfit;
  if (!goodValue(head.authority)) return unfitField('host');
  let text = `${head.method} ${head.path}${head.query} HTTP/1.1\r\nhost: ${head.authority}\r\nconnection: keep-alive\r\n`;
  for (const name in head.fields) {
    const lines = fieldLines(name, head.fields[name]!);
    if (lines === null) return unfitField(name);
    text += lines;
  }
  return `${text}${framing(head.method, body)}\r\n`;
}

/** The lines behind the last chunk, without those that cannot stand there. */
export function trailerText(trailers: Fields | null): string {
  let text = '';
  for (const name in trailers) text += fieldLines(name, trailers[name]!) ?? '';
  return text;
}

/** Why an upgrade cannot be sent, or null. */
export function unfitUpgrade(head: RequestHead): GatewayError | null {
  const text = requestText(head, null);
  return typeof text === 'string' ? null : text;
}

/** The fields of a WebSocket handshake, for node:http. */
export function upgradeFields(head: RequestHead): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.create(null);
  fields.host = head.authority;
  fields.connection = 'Upgrade';
  fields.upgrade = 'websocket';
  for (const name in head.fields) {
    if (!NOT_SENT.has(name.toLowerCase())) fields[name] = head.fields[name]!;
  }
  return fields;
}
