/** The answers of the admin server, as plain values and on the wire. */
import { type ServerResponse, STATUS_CODES } from 'node:http';

export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Indented, since the reader is as often a person with curl as a program. */
export function json(value: unknown, status = 200): AdminAnswer {
  return { status, type: 'application/json', body: `${JSON.stringify(value ?? null, null, 2)}\n` };
}

/** Any other text. */
export function text(type: string, body: string): AdminAnswer {
  return { status: 200, type, body };
}

/** A problem document of RFC 9457. */
export function problem(
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): AdminAnswer {
  const body = { title: STATUS_CODES[status] ?? 'Error', status, detail };
  return { ...json(body, status), type: 'application/problem+json', headers };
}

const COMMON: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** Sends the answer, without its body for HEAD. */
export function send(
  to: ServerResponse,
  answer: AdminAnswer,
  options: { head: boolean; close: boolean },
): void {
  const body = Buffer.from(answer.body);
  to.writeHead(answer.status, {
    ...COMMON,
    ...answer.headers,
    'content-type': answer.type,
    'content-length': body.length,
    ...(options.close ? { connection: 'close' } : {}),
  });
  to.end(options.head ? undefined : body);
}
