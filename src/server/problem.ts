/** The answers that the listener makes by itself: a problem document (RFC 9457) with a code and the trace ID. */
import { STATUS_CODES } from 'node:http';
import type { GatewayError } from '../kernel/errors.ts';
import { createFields } from '../wire/fields.ts';
import type { ResponseHead } from '../wire/heads.ts';

/** What a 405 of the listener offers (RFC 9110 section 15.5.6). */
const ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const encoder = new TextEncoder();

/**
 * The body of the answer.
 * @param traceId empty where none could be made
 */
export function problemBody(error: GatewayError, traceId: string): Uint8Array {
  const { title, status, code } = error;
  const known = traceId === '' ? null : { traceId };
  return encoder.encode(`${JSON.stringify({ type: 'about:blank', title, status, code, ...known })}\n`);
}

/** The head of the answer, without framing. */
export function problemHead(error: GatewayError, traceId: string): ResponseHead {
  const fields = createFields();
  if (traceId !== '') fields['x-trace-id'] = traceId;
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
export function problemText(
  error: GatewayError,
  {
    traceId,
    wallMs,
    bodiless,
  }: { readonly traceId: string; readonly wallMs: number; readonly bodiless: boolean },
): string {
  const { status, fields } = problemHead(error, traceId);
  const body = problemBody(error, traceId);
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n`;
  for (const name in fields) text += `${name}: ${fields[name]}\r\n`;
  text += `date: ${new Date(wallMs).toUTCString()}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  return bodiless ? text : text + Buffer.from(body).toString('latin1');
}
