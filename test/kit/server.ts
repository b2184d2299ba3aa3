/** A listener on a free port for tests, with what it served and refused. */

import { systemClock } from '../../src/kernel/clock.ts';
import type { GatewayError } from '../../src/kernel/errors.ts';
import { createWheel } from '../../src/kernel/wheel.ts';
import { createHttp1Listener, type Listener } from '../../src/server/listener.ts';
import { problemBody, problemHead } from '../../src/server/problem.ts';
import type { ListenerLimits, ListenerTimeouts } from '../../src/server/settings.ts';
import type { Sink } from '../../src/wire/body.ts';
import type { Downstream, Serve } from '../../src/wire/downstream.ts';
import { createFields, type Fields } from '../../src/wire/fields.ts';

export const LIMITS: ListenerLimits = {
  headerBytes: 16 * 1024,
  headerCount: 100,
  urlBytes: 8 * 1024,
  connections: 1000,
};
export const TIMEOUTS: ListenerTimeouts = {
  headersMs: 5000,
  bodyIdleMs: 5000,
  keepAliveMs: 5000,
  writeIdleMs: 5000,
};

export interface TestListener {
  readonly listener: Listener;
  readonly port: number;
  readonly refusals: GatewayError[];
  stop(): Promise<void>;
}

/** Starts a listener; the limits and timeouts given replace the usual ones. */
export async function startListener(
  serve: Serve,
  limits: Partial<ListenerLimits> = {},
  timeouts: Partial<ListenerTimeouts> = {},
): Promise<TestListener> {
  const wheel = createWheel(systemClock, 25);
  const refusals: GatewayError[] = [];
  const listener = createHttp1Listener({
    host: '127.0.0.1',
    port: 0,
    serve,
    refused: (error) => {
      refusals.push(error);
      return '';
    },
    limits: { ...LIMITS, ...limits },
    timeouts: { ...TIMEOUTS, ...timeouts },
    clock: systemClock,
    wheel,
  });
  await listener.listen();
  return {
    listener,
    port: listener.port,
    refusals,
    async stop() {
      await listener.drain(0);
      wheel.stop();
    },
  };
}

/** A map of fields without a prototype. */
export const fields = (entries: Record<string, string | string[]> = {}): Fields =>
  Object.assign(createFields(), entries);

/** Answers with a text. */
export function answer(
  down: Downstream,
  text: string,
  status = 200,
  extra: Record<string, string | string[]> = {},
): void {
  const bytes = Buffer.from(text);
  const sink = down.reply(
    { status, fields: fields({ 'content-type': 'text/plain', ...extra }) },
    bytes.length,
  );
  sink.write(bytes);
  sink.end(null);
}

/** Answers with a problem document, as the gateway does. */
export function refuse(down: Downstream, error: GatewayError): void {
  const bytes = problemBody(error, '');
  const sink = down.reply(problemHead(error, ''), bytes.length);
  sink.write(bytes);
  sink.end(null);
}

/** A sink that gathers, for request bodies. */
export function gather(
  done: (bytes: Buffer, trailers: Fields | null, error: GatewayError | null) => void,
): Sink {
  const chunks: Uint8Array[] = [];
  return {
    ready: null,
    write(chunk) {
      chunks.push(chunk);
      return true;
    },
    end: (trailers) => done(Buffer.concat(chunks), trailers, null),
    fail: (error) => done(Buffer.concat(chunks), null, error),
  };
}

/** Answers every request with what was understood of it, as JSON. */
export const mirror: Serve = (down) => {
  const tell = (body: Buffer, trailers: Fields | null, error: GatewayError | null) => {
    if (error !== null) refuse(down, error);
    else
      answer(
        down,
        JSON.stringify({ ...down.head, version: down.version, body: body.toString('latin1'), trailers }),
      );
  };
  if (down.body === null) tell(Buffer.alloc(0), null, null);
  else down.body.read(gather(tell));
};
