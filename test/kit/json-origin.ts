/** Origins that answer JSON, and the ways in which the answer of one can go wrong. */
import type { ServerResponse } from 'node:http';
import { type Handler, type Origin, startOrigin } from './gateway-origin.ts';

/** Answers with this value as JSON. */
export function sendJson(
  response: ServerResponse,
  value: unknown,
  fields: Readonly<Record<string, string | string[]>> = {},
  status = 200,
): void {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', ...fields }).end(body);
}

/** Starts an origin that answers every request with this JSON; a text is sent as it is. */
export function startJsonOrigin(
  value: unknown,
  fields: Readonly<Record<string, string | string[]>> = {},
): Promise<Origin> {
  return startOrigin((_request, response) => sendJson(response, value, fields));
}

/** What a service can do to the one who asks it; `good` is JSON with a member `is`. */
export const BEHAVIOURS = {
  good: (_request, response) => sendJson(response, { is: 'good' }),
  'not found': (_request, response) => sendJson(response, { error: 'none' }, {}, 404),
  'server error': (_request, response) => sendJson(response, { error: 'broken' }, {}, 500),
  overloaded: (_request, response) => sendJson(response, '{}', { 'retry-after': '7' }, 503),
  moved: (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  empty: (_request, response) => response.writeHead(204).end(),
  'empty, said to be JSON': (_request, response) => sendJson(response, ''),
  html: (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>hello'),
  untyped: (_request, response) => response.end('{"is":"untyped"}'),
  compressed: (_request, response) => sendJson(response, '{}', { 'content-encoding': 'br' }),
  broken: (_request, response) => sendJson(response, '{"is":"bro'),
  'not UTF-8': (_request, response) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(Buffer.from([0x22, 0xff, 0xfe, 0x22])),
  'too large': (_request, response) => sendJson(response, JSON.stringify('x'.repeat(5000))),
  'too large, unannounced': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(`"${'x'.repeat(5000)}`);
    response.end('"');
  },
  cut: (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"is":', () => response.destroy());
  },
  reset: (request) => void request.socket.resetAndDestroy(),
  silent: () => undefined,
  'silent in the middle': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"is":');
  },
} as const satisfies Readonly<Record<string, Handler>>;

export type Behaviour = keyof typeof BEHAVIOURS;
