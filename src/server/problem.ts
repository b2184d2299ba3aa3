/** The answers that the listener makes by itself: a problem document (RFC 9457) with a code and nothing else. */
import { STATUS_CODES } from 'node:http';
import type { GatewayCode, GatewayError } from '../kernel/errors.ts';
import { createFields } from '../wire/fields.ts';
import type { ResponseHead } from '../wire/heads.ts';

/** What a 405 of the listener offers (RFC 9110 section 15.5.6). */
const ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const encoder = new TextEncoder();
const documents = new Map<GatewayCode, Uint8Array>();

/** The body of the answer; the same for every request, so kept. */
export function problemBody(error: GatewayError): Uint8Array {
  const kept = documents.get(error.code);
  if (kept !== undefined) return kept;
  const made = encoder.encode(
    JSON.stringify({ type: 'about:blank', title: error.title, status: error.status, code: error.code }),
  );
  documents.set(error.code, made);
  return made;
}

/** The head of the answer, without framing. */
export function problemHead(error: GatewayError): ResponseHead {
  const fields = createFields();
  fields['content-type'] = 'application/problem+json';
  fields['cache-control'] = 'no-store';
  if (error.status === 405) fields.allow = ALLOW;
  if (error.status === 503) fields['retry-after'] = '1';
  if (error.proxyStatus !== null) fields['proxy-status'] = `snowgate; error=${error.proxyStatus}`;
  return { status: error.status, fields };
}

/**
 * The whole answer as text, for a connection that will be closed after it.
 * @param wallMs for the Date field
 */
export function problemText(error: GatewayError, wallMs: number, bodiless: boolean): string {
  const { status, fields } = problemHead(error);
  const body = problemBody(error);
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n`;
  for (const name in fields) text += `${name}: ${fields[name]}\r\n`;
  text += `date: ${new Date(wallMs).toUTCString()}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  return bodiless ? text : text + Buffer.from(body).toString('latin1');
}
