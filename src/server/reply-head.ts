/** Turns the head of an answer into the flat list that node:http writes, with this connection's own framing. */
import type { Fields } from '../wire/fields.ts';

/** Framing and connection fields are this listener's own; what another connection said of itself stays there. */
const OWN = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'te',
  'proxy-authenticate',
  'http2-settings',
]);
const DIGITS = /^[0-9]{1,15}$/;

export interface Framing {
  /** Bytes that will follow; null when unknown. */
  readonly length: number | null;
  /** HEAD, 204 or 304: a length may be told, no bytes follow. */
  readonly bodiless: boolean;
  readonly status: number;
  readonly close: boolean;
  /** Trailers can only follow a chunked body. */
  readonly chunked: boolean;
}

/** The fields as a flat list; `content-length` comes last, since node:http re-encodes content-disposition after it. */
export function replyFields(fields: Fields, framing: Framing): string[] {
  const flat: string[] = [];
  for (const given in fields) {
    // A plugin may have written it in capitals, which must not lead round the list.
    const name = given.toLowerCase();
    if (OWN.has(name) || (name === 'trailer' && !framing.chunked)) continue;
    const value = fields[given]!;
    if (typeof value === 'string') flat.push(name, value);
    else for (const line of value) flat.push(name, line);
  }
  if (framing.close) flat.push('connection', 'close');
  const length = framing.length ?? (framing.bodiless ? told(fields['content-length']) : null);
  // RFC 9110 section 8.6: never in a 204.
  if (length !== null && framing.status !== 204) flat.push('content-length', String(length));
  return flat;
}

/** A head without body may say how long the body would have been. */
function told(value: string | string[] | undefined): string | null {
  return typeof value === 'string' && DIGITS.test(value) ? value : null;
}
