/** Runs tables of raw requests: one row a case, bytes in, status and the connection's fate out. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RawClient } from './raw.ts';
import { mirror, startListener, type TestListener } from './server.ts';

export interface Row {
  readonly name: string;
  readonly bytes: string;
  /** 0: closed without an answer. */
  readonly status: number;
  readonly closed: boolean;
  /** The code in the problem document, for what the listener refuses. */
  readonly code?: string;
  /** Part of the answer's body, for what is served. */
  readonly has?: string;
  /** What the answer's body must not have. */
  readonly lacks?: string;
}

/** Refused as malformed, and closed. */
export const bad = (name: string, bytes: string, code = 'GW_BAD_REQUEST', status = 400): Row => ({
  name,
  bytes,
  status,
  closed: true,
  code,
});

/** Served, and the connection kept. */
export const good = (name: string, bytes: string, has = '', lacks = ''): Row => ({
  name,
  bytes,
  status: 200,
  closed: false,
  has,
  lacks,
});

const PROBE = 'GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n';

/** Makes one test of each row, against one listener that mirrors what it understood. */
export function rows(table: readonly Row[]): void {
  let server: TestListener;
  let served = 0;
  beforeAll(async () => {
    server = await startListener((down) => {
      served++;
      mirror(down);
    });
  });
  afterAll(() => server.stop());

  it.each(table.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    server.refusals.length = 0;
    served = 0;
    const client = new RawClient(server.port);
    try {
      client.send(row.bytes);
      const answer = await client.answer(row.bytes.startsWith('HEAD ') ? 'HEAD' : 'GET');
      expect(answer.status).toBe(row.status);
      if (row.status !== 0) expect(answer.whole).toBe(true);
      if (row.code !== undefined) {
        expect(answer.fields['content-type']).toBe('application/problem+json');
        expect(JSON.parse(answer.body)).toEqual({
          type: 'about:blank',
          title: expect.any(String),
          status: row.status,
          code: row.code,
        });
        expect(answer.fields.connection).toBe('close');
      }
      if (row.has) expect(answer.body).toContain(row.has);
      if (row.lacks) expect(answer.body).not.toContain(row.lacks);
      if (row.closed) {
        expect(await client.closes()).toBe(true);
        // Nothing behind the refusal was ever answered.
        expect(client.text).toBe('');
      } else {
        client.send(PROBE);
        expect(JSON.parse((await client.answer()).body)).toMatchObject({ path: '/probe' });
      }
      if (row.code !== undefined && served === 0)
        expect(server.refusals.map((error) => error.code)).toEqual([row.code]);
    } finally {
      client.destroy();
    }
  });
}

/** A GET with a Host and the lines given. */
export const get = (...lines: string[]): string =>
  `GET / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

/** A POST with a Host and the lines given, then a body as it is. */
export const post = (lines: readonly string[], body: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`;

/** A chunked POST with its body as it is. */
export const chunked = (body: string): string => post(['Transfer-Encoding: chunked'], body);
