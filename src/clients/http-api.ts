/** A client for the HTTP APIs of registries: each answer bounded in time and size, and never led elsewhere. */
import { Agent } from 'undici';
import type { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';

export interface ApiTls {
  /** PEM; null: the authorities that Node trusts. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** Null: the host of the URL. */
  readonly serverName: string | null;
  readonly verify: boolean;
}

export interface ApiOptions {
  readonly clock: Clock;
  readonly tls: ApiTls | null;
  /** The largest answer that is taken. */
  readonly mostBytes: number;
}

export interface ApiRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** A user and password in it are sent as Basic credentials. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** For the whole of the exchange, connecting included. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface ApiAnswer {
  /** The address that answered, without credentials and query. */
  readonly from: string;
  readonly status: number;
  /** Null when it is not there, or there more than once. */
  header(name: string): string | null;
  readonly text: string;
}

const causeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  // Node's AggregateError of several addresses has no message, only a code.
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
};

export class HttpApi {
  readonly #clock: Clock;
  readonly #mostBytes: number;
  readonly #agent: Agent;

  constructor({ clock, tls, mostBytes }: ApiOptions) {
    this.#clock = clock;
    this.#mostBytes = mostBytes;
    const secure = tls && {
      rejectUnauthorized: tls.verify,
      ...(tls.ca !== null && { ca: tls.ca }),
      ...(tls.cert !== null && { cert: tls.cert }),
      ...(tls.key !== null && { key: tls.key }),
      ...(tls.serverName !== null && { servername: tls.serverName }),
    };
    // Time is limited by our own clock, for the exchange as a whole.
    this.#agent = new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0, connect: { ...secure } });
  }

  /**
   * Sends a request and reads its answer to the end, whatever its status.
   * @throws Error whose message names the address, without secrets, and what is wrong
   */
  async send(request: ApiRequest): Promise<ApiAnswer> {
    const url = new URL(request.url);
    const from = `${url.origin}${url.pathname}`;
    const late = new AbortController();
    const timer = this.#clock.after(request.timeoutMs, () =>
      late.abort(new Error(`no answer in ${request.timeoutMs} ms`)),
    );
    const signal = AbortSignal.any([late.signal, request.signal]);
    try {
      const { statusCode, headers, body } = await this.#agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: request.method,
        headers: {
          accept: 'application/json',
          ...credentials(url),
          ...jsonType(request),
          ...request.headers,
        },
        body: request.body === undefined ? null : JSON.stringify(request.body),
        signal,
      });
      const text = await this.#read(body);
      const header = (name: string) => {
        const value = headers[name];
        return typeof value === 'string' ? value : null;
      };
      return { from, status: statusCode, header, text };
    } catch (error) {
      throw new Error(`${from}: ${causeOf(signal.aborted ? signal.reason : error)}`, { cause: error });
    } finally {
      timer.cancel();
    }
  }

  /** Cuts what is under way. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #read(body: AsyncIterable<Uint8Array>): Promise<string> {
    const parts: Uint8Array[] = [];
    let size = 0;
    // Leaving the loop early destroys the body, and with it the connection.
    for await (const part of body) {
      size += part.byteLength;
      if (size > this.#mostBytes) throw new Error(`the answer is larger than ${this.#mostBytes} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts).toString('utf8');
  }
}

const jsonType = (request: ApiRequest): Record<string, string> =>
  request.body === undefined ? {} : { 'content-type': 'application/json' };

const credentials = ({ username, password }: URL): Record<string, string> => {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
};

const MOST_TEXT = 200;

/** @throws Error with what the server said, unless the status is one of those expected */
export function expectStatus(answer: ApiAnswer, ...expected: readonly number[]): void {
  if (expected.includes(answer.status)) return;
  const said = answer.text.replace(/\s+/g, ' ').trim().slice(0, MOST_TEXT);
  throw new Error(`${answer.from}: it answered ${answer.status}${said === '' ? '' : `, ${said}`}`);
}

/**
 * Reads an answer of status 200 as JSON of a shape.
 * @throws Error that says where it has another shape
 */
export function readJson<T>(answer: ApiAnswer, shape: z.ZodType<T>): T {
  expectStatus(answer, 200);
  let value: unknown;
  try {
    value = JSON.parse(answer.text);
  } catch (error) {
    throw new Error(`${answer.from}: the answer is no JSON`, { cause: error });
  }
  const read = shape.safeParse(value);
  if (read.success) return read.data;
  const [first] = read.error.issues;
  throw new Error(
    `${answer.from}: the answer has another shape at ${first?.path.join('.') || 'its top'}: ${first?.message}`,
  );
}
