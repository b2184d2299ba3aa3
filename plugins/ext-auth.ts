/** Asks a service whether a request may pass; without its yes nobody does. */
import {
  type Answer,
  definePlugin,
  type Exchange,
  type Fields,
  parseDuration,
  type Reply,
  refuse,
  reply,
  z,
} from 'snowgate/plugin';
import { Agent, request } from 'undici';
import { headerName } from './_auth/forward.ts';
import { duration } from './_limits/duration.ts';

const MOST_BODY_BYTES = 64 * 1024;
const MOST_HEAD_BYTES = 16 * 1024;
const MOST_CONNECTIONS = 64;

const names = z.array(headerName);
/** They frame the question or name whom it goes to. */
const FRAMING = /^(connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade)$/;
/** What the service may know: credentials too, unlike what it may say. */
const asked = z.array(
  z
    .string()
    .regex(/^[!#$%&'*+.^`|~0-9A-Za-z-]+$/, 'must be a header name')
    .toLowerCase()
    .refine((name) => !FRAMING.test(name), 'this header belongs to the gateway'),
);

/** A raw byte of a query is no text for a header, and undici loses a connection over each that it refuses. */
const plain = (text: string): string => text.replaceAll(/[^\x21-\x7e]/g, encodeURIComponent);

/** Of an answer that refuses: what a client needs to log in. */
const TOLD = ['www-authenticate', 'location', 'set-cookie', 'content-type', 'retry-after', 'cache-control'];

const config = z.strictObject({
  url: z
    .string()
    .refine(
      (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
      'must be an http:// or https:// address',
    )
    .describe('The address that is asked, by GET; the request is told in x-original-method, -host and -uri.'),
  send: asked.default(['authorization', 'cookie']).describe('Headers of the request that the service gets.'),
  copy: names
    .default([])
    .describe(
      'Headers of its answer that the upstream gets; what clients send under these names is removed.',
    ),
  principal: headerName
    .optional()
    .describe('The header of its answer that says who asks; it becomes `principal.id`.'),
  timeout: duration('1s')
    .default('1s')
    .describe('How long it may take; after that the request is refused with 503.'),
  concurrency: z
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe('Requests that are asked about at once; more are refused with 503.'),
});

interface Verdict {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const textOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;

export default definePlugin({
  name: 'ext-auth',
  summary: 'Asks a service whether a request may pass; without its yes nobody does.',
  config,
  setup({ url, send, copy, principal, timeout, concurrency }, host) {
    const timeoutMs = parseDuration(timeout)!;
    const agent = new Agent({
      connections: MOST_CONNECTIONS,
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: MOST_HEAD_BYTES,
      connect: { timeout: timeoutMs },
    });
    const outcomes = host.counter('ext_auth_asked', 'What the service said.', ['outcome']);
    let open = 0;

    const headOf = (x: Exchange): Record<string, string | string[]> => {
      const { received, client } = x;
      const head: Record<string, string | string[]> = {};
      for (const name of send) {
        const value = received.fields[name];
        if (value !== undefined) head[name] = value;
      }
      head['x-original-method'] = received.method;
      head['x-original-host'] = plain(received.authority);
      head['x-original-uri'] = plain(received.path + received.query);
      head['x-forwarded-for'] = client.address;
      head['x-forwarded-proto'] = client.scheme;
      head['x-trace-id'] = x.id;
      return head;
    };

    const ask = async (x: Exchange): Promise<Verdict> => {
      const late = new AbortController();
      const timer = host.clock.after(timeoutMs, () => late.abort(new Error(`no answer in ${timeoutMs} ms`)));
      try {
        const signal = AbortSignal.any([late.signal, x.signal]);
        const answer = await request(url, { dispatcher: agent, headers: headOf(x), signal });
        const parts: Uint8Array[] = [];
        let size = 0;
        for await (const part of answer.body as AsyncIterable<Uint8Array>) {
          size += part.byteLength;
          if (size > MOST_BODY_BYTES) throw new Error(`its answer is larger than ${MOST_BODY_BYTES} bytes`);
          parts.push(part);
        }
        return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) };
      } finally {
        timer.cancel();
      }
    };

    const unavailable = (why: string): Reply => {
      outcomes.add(1, { outcome: 'failed' });
      return refuse('GW_AUTH_UNAVAILABLE', why);
    };

    /** The service's own words, as for a login page. */
    const passOn = ({ status, headers, body }: Verdict): Reply => {
      const fields: Record<string, string | string[]> = {};
      for (const name of TOLD) {
        const value = headers[name];
        if (value !== undefined) fields[name] = value;
      }
      if (status < 400) return reply(status, fields, body);
      const refusal = refuse(
        status === 401 ? 'GW_UNAUTHENTICATED' : 'GW_FORBIDDEN',
        `${url} said no`,
        fields,
      );
      // Without words of its own it gets ours.
      if (body.byteLength > 0) refusal.body = body;
      return refusal;
    };

    const admit = (x: Exchange, { headers }: Verdict): Answer => {
      const id = principal === undefined ? undefined : textOf(headers[principal]);
      if (principal !== undefined && (id === undefined || id === ''))
        return unavailable(`it said yes without ${principal}`);
      if (id !== undefined) x.principal = { id, claims: { sub: id }, scopes: [], by: host.instance };
      outcomes.add(1, { outcome: 'allowed' });
      x.slots[host.slot] = headers;
      return undefined;
    };

    const decide = async (x: Exchange): Promise<Awaited<Answer>> => {
      open++;
      let verdict: Verdict;
      try {
        verdict = await ask(x);
      } catch (error) {
        return unavailable(`${url}: ${error instanceof Error ? error.message : String(error)}`);
      } finally {
        open--;
      }
      const { status } = verdict;
      if (status >= 200 && status < 300) return admit(x, verdict);
      // A redirect leads to a login; anything else but a plain no is a service that does not work.
      const isNo = status === 401 || status === 403 || [302, 303, 307].includes(status);
      if (!isNo) return unavailable(`${url}: it answered ${status}`);
      outcomes.add(1, { outcome: 'denied' });
      return passOn(verdict);
    };

    const authenticate = (x: Exchange): Answer =>
      open >= concurrency ? unavailable(`${concurrency} are being asked about already`) : decide(x);

    return {
      // With a name for whoever asks it is an authenticator like any other; without one it only says yes or no.
      ...(principal === undefined ? { authorize: authenticate } : { authenticate }),
      // Also the name that is not copied: an upstream that looks for it must not find a client's own word.
      reserves: principal === undefined ? copy : [...new Set([...copy, principal])],
      request(x) {
        const headers = x.slots[host.slot] as Verdict['headers'] | undefined;
        if (headers === undefined) return;
        const fields: Fields = x.request.fields;
        for (const name of copy) {
          const value = headers[name];
          if (value !== undefined) fields[name] = value;
        }
      },
      explain: (x) => (x.slots[host.slot] === undefined ? `${url} was not asked` : `${url} said yes`),
      dispose: () => agent.close(),
    };
  },
});
