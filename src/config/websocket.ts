/** The key `websocket` of a route: who may connect, and for how long. */
import { z } from 'zod';
import { isOrigin } from '../wire/origins.ts';
import { duration, flag, Refusal, text } from './forms.ts';
import { section } from './shapes.ts';
import type { WebSocketOptions } from './websocket-options.ts';

const origin = text({
  form: 'an origin',
  check: (value) =>
    isOrigin(value)
      ? null
      : new Refusal(
          'is no origin',
          'Write scheme and host, as https://shop.example or https://*.shop.example.',
        ),
});

/** The keys of a route. */
export const websocketShape = {
  websocket: section({
    origins: z
      .array(origin)
      .optional()
      .describe('Pages that may connect beside those of the same host; default: all, and programs always.'),
    idle: duration().optional().describe('Longest pause of an open WebSocket, instead of `timeouts.idle`.'),
    endWithToken: flag().prefault(false).describe('Close it when the token expires that it was opened with.'),
  })
    .prefault({})
    .describe('What holds for WebSockets on this route.'),
};

type WebSocketInput = z.output<z.ZodObject<typeof websocketShape>>;

/** Fills in the defaults. */
export function readWebSocket({ websocket }: WebSocketInput): WebSocketOptions {
  const { origins, idle, endWithToken } = websocket;
  return { origins: origins ?? null, idleMs: idle ?? null, endWithToken };
}
