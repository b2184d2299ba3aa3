/** What is written to an upstream: node:http's parser reads of it exactly what was given, or nothing is written. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, METHODS } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatewayError } from '../../../src/kernel/errors.ts';
import { requestText, trailerText } from '../../../src/transport/request-text.ts';
import type { Body } from '../../../src/wire/body.ts';
import { specOf } from '../../kit/origin.ts';
import { ask, type CallOptions, callOf, fieldsOf } from '../../kit/origin-calls.ts';
import { testTransport } from '../../kit/origin-transport.ts';

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly fields: string[];
  readonly body: string;
  readonly trailers: string[];
}

/** An origin that answers with what it has read. */
const startMirror = async () => {
  const read = async (request: IncomingMessage): Promise<Seen> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return {
      method: request.method!,
      target: request.url!,
      fields: request.rawHeaders,
      body: Buffer.concat(chunks).toString('latin1'),
      trailers: request.rawTrailers,
    };
  };
  const server = createServer({ maxHeaderSize: 1 << 20 }, (request, response) => {
    void read(request).then((seen) => response.end(JSON.stringify(seen)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    spec: specOf((server.address() as AddressInfo).port),
    close: () => server.close().closeAllConnections(),
  };
};

const latin1 = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const ascii = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
/** Mostly fit, so that most of what is made gets as far as the socket. */
const textOf = (usual: fc.Arbitrary<string>, maxLength: number) =>
  fc.string({
    unit: fc.oneof({ weight: 60, arbitrary: usual }, { weight: 1, arbitrary: latin1 }),
    maxLength,
  });
const token = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz-0123456789.~');
const name = fc.oneof(
  { weight: 12, arbitrary: textOf(token, 12).map((text) => `x${text}`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('te', 'expect', 'connection', 'transfer-encoding', 'content-length', 'host'),
  },
  { weight: 1, arbitrary: fc.constantFrom('Content-Length', 'Transfer-Encoding', 'Host', '__proto__', '') },
);
const value = textOf(ascii, 30);
const fields = fc.dictionary(name, fc.oneof(value, fc.array(value, { maxLength: 3 })), { maxKeys: 6 });
const pathLetter = fc.constantFrom(...'abcXYZ019-._~!$&\'()*+,;=:@%/"<>[]^`{|}');
const requests = fc.record({
  method: fc.oneof(
    fc.constantFrom(...METHODS.filter((method) => method !== 'CONNECT')),
    fc.constantFrom('CONNECT', 'get\r\n', ''),
  ),
  path: textOf(pathLetter, 30).map((text) => `/${text}`),
  query: fc.oneof(
    fc.constant(''),
    textOf(pathLetter, 20).map((text) => `?${text}`),
  ),
  fields,
  body: fc.array(textOf(latin1, 40), { maxLength: 5 }),
  sized: fc.boolean(),
  trailers: fields,
});

const NEVER = new Set([
  'te',
  'expect',
  'connection',
  'transfer-encoding',
  'content-length',
  'host',
  'trailer',
  'keep-alive',
]);

/** What of the fields may go on, as pairs; blanks round a value are no part of it (RFC 9112 section 5). */
const pairsOf = (given: Record<string, string | string[]>): string[] =>
  Object.entries(given)
    .map(([key, one]) => [key.toLowerCase(), one] as const)
    .filter(([key]) => !NEVER.has(key))
    .flatMap(([key, one]) => [one].flat().map((text) => `${key}=${text.replace(/^[ \t]+|[ \t]+$/g, '')}`));

const pairsSeen = (raw: readonly string[]): string[] =>
  raw.flatMap((key, at) => (at % 2 === 0 && !NEVER.has(key) ? [`${key}=${raw[at + 1]}`] : []));

const framingSeen = (raw: readonly string[]) =>
  raw.filter((key, at) => at % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(key));

test('random requests are read as they were given, or refused before a byte leaves', async () => {
  const mirror = await startMirror();
  const transport = testTransport(mirror.spec, { maxHeaderBytes: 1 << 20 });
  let sent = 0;
  try {
    await fc.assert(
      fc.asyncProperty(requests, async (given) => {
        const pieces = given.body.map((text) => Buffer.from(text, 'latin1'));
        const whole = Buffer.concat(pieces);
        const body: Body = {
          length: given.sized ? whole.length : null,
          read(into) {
            for (const piece of pieces) into.write(piece);
            into.end(given.sized ? null : fieldsOf(given.trailers));
          },
          cancel() {
            // Given at once.
          },
        };
        const options: CallOptions = { ...given, authority: 'shop.example:8080', body };
        const heard = await ask(transport, options);
        const text = requestText(callOf(options).head, body);
        if (text instanceof GatewayError) {
          expect(heard.code).toBe(text.code);
          return;
        }
        sent++;
        expect([heard.code, heard.status]).toEqual([null, 200]);
        if (given.method === 'HEAD') return;
        const seen = JSON.parse(Buffer.concat(heard.chunks).toString()) as Seen;
        expect([seen.method, seen.target, seen.body]).toEqual([
          given.method,
          given.path + given.query,
          whole.toString('latin1'),
        ]);
        expect(pairsSeen(seen.fields)).toEqual(pairsOf(given.fields));
        expect(seen.fields.filter((key, at) => at % 2 === 0 && key.toLowerCase() === 'host').length).toBe(1);
        expect(framingSeen(seen.fields).length).toBeLessThanOrEqual(1);
        if (!given.sized) expect(pairsSeen(seen.trailers)).toEqual(pairsOf(parsedTrailers(given.trailers)));
      }),
      { numRuns: 400 },
    );
  } finally {
    await transport.close(0);
    mirror.close();
  }
  expect(sent).toBeGreaterThan(100);
});

/** Those of the trailers that can stand there. */
const parsedTrailers = (given: Record<string, string | string[]>) =>
  Object.fromEntries(
    Object.entries(given).filter(([key, one]) => trailerText(fieldsOf({ [key]: one })) !== ''),
  );

test.each(['Content-Length', 'Transfer-Encoding', 'Host', 'Connection', 'TE'])(
  'a name in capitals, %s, cannot pass the list of those that are never sent',
  (capital) => {
    const text = requestText(callOf({ fields: { [capital]: '5', 'X-A': '6' } }).head, null);
    expect(text).toBe('GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: keep-alive\r\nx-a: 6\r\n\r\n');
    expect(trailerText(fieldsOf({ [capital]: '5' }))).toBe('');
  },
);
