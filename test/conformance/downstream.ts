/** What every Downstream must do, whichever protocol and codec carry it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatewayError } from '../../src/kernel/errors.ts';
import type { Sink } from '../../src/wire/body.ts';
import type { Closing, Downstream, Serve } from '../../src/wire/downstream.ts';
import { answer, fields, gather } from '../kit/server.ts';

/** One request as a client of the protocol under test sends it. */
export interface ClientRequest {
  readonly method?: string;
  /** With its query. */
  readonly path?: string;
  readonly fields?: Record<string, string | string[]>;
  /** Sent with its length known. */
  readonly body?: Buffer | null;
  /** Sent with its length unknown, and trailers. */
  readonly stream?: { readonly chunks: readonly Buffer[]; readonly trailers?: Record<string, string> };
}

export interface ClientAnswer {
  readonly status: number;
  readonly fields: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
  readonly trailers: Record<string, string | undefined>;
  readonly interim: readonly { status: number; fields: Record<string, string | string[] | undefined> }[];
}

/** A started server under test, with a client that speaks its protocol. */
export interface DownstreamFixture {
  setServe(serve: Serve): void;
  /** Rejects when the answer does not end cleanly. */
  request(request: ClientRequest): Promise<ClientAnswer>;
  /** The status of the answer as soon as its head is there; then leaves. */
  glance(request: ClientRequest): Promise<number>;
  /** Starts a request and leaves once `when` resolves. */
  leave(request: ClientRequest, when: Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const later = <T>() => Promise.withResolvers<T>();
type End = { how: Closing; inBytes: number; outBytes: number; calls: number };

/** Resolves with how the exchange ended; the count goes on. */
const ending = (down: Downstream): Promise<End> => {
  const { promise, resolve } = later<End>();
  const end: End = { how: 'cut', inBytes: 0, outBytes: 0, calls: 0 };
  down.closed = (how, inBytes, outBytes) => {
    Object.assign(end, { how, inBytes, outBytes, calls: end.calls + 1 });
    resolve(end);
  };
  return promise;
};

/** Writes a stretch of bytes many times, minding what the sink says; returns how often it had to wait. */
const pour = (sink: Sink, chunk: Buffer, times: number): Promise<number> => {
  const { promise, resolve } = later<number>();
  let left = times;
  let waits = 0;
  const go = () => {
    while (left > 0) {
      left--;
      if (!sink.write(chunk)) {
        waits++;
        return;
      }
    }
    sink.end(null);
    resolve(waits);
  };
  sink.ready = go;
  go();
  return promise;
};

/** Runs the suite against what `start` makes. */
export function downstreamConformance(name: string, start: () => Promise<DownstreamFixture>): void {
  describe(`Downstream of ${name}`, () => {
    let fixture: DownstreamFixture;
    beforeEach(async () => {
      fixture = await start();
    });
    afterEach(() => fixture.stop());

    it('gives the head: method, scheme, authority, path, query and fields', async () => {
      const { promise, resolve } = later<Downstream>();
      fixture.setServe((down) => {
        resolve(down);
        answer(down, 'ok');
      });
      await fixture.request({
        method: 'PATCH',
        path: '/a/%41?b=c&d',
        fields: { 'x-one': '1', 'x-two': ['2', '3'] },
      });
      const { head, peer } = await promise;
      expect(head).toMatchObject({ method: 'PATCH', scheme: 'http', path: '/a/%41', query: '?b=c&d' });
      expect(head.authority).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(Object.getPrototypeOf(head.fields)).toBe(null);
      expect(head.fields['x-one']).toBe('1');
      expect([head.fields['x-two']].flat().join(',').replaceAll(' ', '')).toBe('2,3');
      for (const name of ['host', 'connection', 'transfer-encoding', 'keep-alive', 'te'])
        expect(head.fields[name]).toBe(undefined);
      expect(peer).toMatchObject({ address: '127.0.0.1', localAddress: '127.0.0.1', secure: false });
    });

    it('has no body where none was sent', async () => {
      const { promise, resolve } = later<unknown>();
      fixture.setServe((down) => {
        resolve(down.body);
        answer(down, '');
      });
      await fixture.request({});
      expect(await promise).toBe(null);
    });

    it('gives a body of known length whole', async () => {
      const sent = Buffer.alloc(300_000, 'a');
      fixture.setServe((down) => {
        expect(down.body?.length).toBe(300_000);
        down.body?.read(gather((bytes) => answer(down, String(bytes.equals(sent)))));
      });
      const got = await fixture.request({ method: 'POST', body: sent });
      expect(got.body.toString()).toBe('true');
    });

    it('gives a body of unknown length and its allowed trailers', async () => {
      fixture.setServe((down) => {
        expect(down.body?.length).toBe(null);
        down.body?.read(gather((bytes, trailers) => answer(down, `${bytes} ${JSON.stringify(trailers)}`)));
      });
      const chunks = [Buffer.from('he'), Buffer.from('llo')];
      const trailers = { 'x-sum': '5', authorization: 'no' };
      const got = await fixture.request({ method: 'POST', stream: { chunks, trailers } });
      expect(got.body.toString()).toBe('hello {"x-sum":"5"}');
    });

    it('holds the client back while the reader of the body takes no more', async () => {
      const total = 8 * 1024 * 1024;
      let taken = 0;
      let held: Sink | null = null;
      const { promise: full, resolve: filled } = later<void>();
      fixture.setServe((down) => {
        const sink: Sink = {
          ready: null,
          write(chunk) {
            taken += chunk.length;
            if (held !== null) return true;
            held = sink;
            filled();
            return false;
          },
          end: () => answer(down, String(taken)),
          fail: () => down.abort(),
        };
        if (down.body === null) answer(down, 'other');
        else down.body.read(sink);
      });
      const asked = fixture.request({ method: 'POST', body: Buffer.alloc(total) });
      await full;
      const before = taken;
      await fixture.request({ path: '/other' });
      expect(taken).toBe(before);
      held!.ready!();
      expect((await asked).body.toString()).toBe(String(total));
    }, 10_000);

    it('answers with status, fields and a body of known length', async () => {
      const { promise, resolve } = later<End>();
      fixture.setServe((down) => {
        ending(down).then(resolve);
        answer(down, 'hello', 201, { 'x-a': 'b', 'set-cookie': ['c=1', 'd=2'] });
      });
      const got = await fixture.request({});
      expect(got).toMatchObject({ status: 201, fields: { 'x-a': 'b', 'content-length': '5' } });
      expect(got.fields['set-cookie']).toEqual(['c=1', 'd=2']);
      expect(got.body.toString()).toBe('hello');
      expect(await promise).toEqual({ how: 'sent', inBytes: 0, outBytes: 5, calls: 1 });
    });

    it('answers with a body of unknown length, and trailers', async () => {
      fixture.setServe((down) => {
        const sink = down.reply({ status: 200, fields: fields({ trailer: 'x-sum' }) }, null);
        sink.write(Buffer.from('he'));
        sink.write(Buffer.from('llo'));
        sink.end(fields({ 'x-sum': '5', 'content-length': '9', authorization: 'no' }));
      });
      const got = await fixture.request({});
      expect(got.body.toString()).toBe('hello');
      expect(got.trailers).toMatchObject({ 'x-sum': '5' });
      expect(got.trailers.authorization).toBe(undefined);
      expect(got.trailers['content-length']).toBe(undefined);
    });

    it.each([
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ])('sends no body to %s with status %d, and serves the next', async (method, status) => {
      fixture.setServe((down) =>
        answer(down, down.head.path === '/' ? 'body' : 'next', down.head.path === '/' ? status : 200),
      );
      const got = await fixture.request({ method });
      expect(got.status).toBe(status);
      expect(got.body.length).toBe(0);
      expect((await fixture.request({ path: '/next' })).body.toString()).toBe('next');
    });

    it('drops what belongs to another connection, and keeps the date that is there', async () => {
      const date = 'Mon, 01 Jan 2024 00:00:00 GMT';
      fixture.setServe((down) =>
        answer(down, 'x', 200, {
          connection: 'x-a',
          'keep-alive': '5',
          'transfer-encoding': 'chunked',
          upgrade: 'h2c',
          date,
        }),
      );
      const got = await fixture.request({});
      expect(got.fields.date).toBe(date);
      expect(got.fields.upgrade).toBe(undefined);
      expect(got.fields['transfer-encoding']).toBe(undefined);
      expect(got.body.toString()).toBe('x');
    });

    it('sends the head before the first byte when that is late', async () => {
      const { promise, resolve } = later<End>();
      fixture.setServe((down) => {
        ending(down).then(resolve);
        down.reply({ status: 202, fields: fields({ 'x-early': '1' }) }, null);
      });
      expect(await fixture.glance({})).toBe(202);
      expect(await promise).toMatchObject({ how: 'left', calls: 1 });
    });

    it('passes interim answers before the final one', async () => {
      fixture.setServe((down) => {
        down.inform(103, fields({ link: '</a.css>; rel=preload' }));
        answer(down, 'ok');
      });
      const got = await fixture.request({});
      expect(got.interim).toMatchObject([{ status: 103, fields: { link: '</a.css>; rel=preload' } }]);
      expect(got).toMatchObject({ status: 200 });
    });

    it('tells the writer to wait while the client reads slowly, and loses nothing', async () => {
      const chunk = Buffer.alloc(256 * 1024, 'z');
      const { promise, resolve } = later<number>();
      fixture.setServe((down) => {
        pour(down.reply({ status: 200, fields: fields() }, null), chunk, 64).then(resolve);
      });
      const got = await fixture.request({});
      expect(got.body.length).toBe(64 * chunk.length);
      expect(await promise).toBeGreaterThan(0);
    });

    it.each([
      ['known', 10],
      ['unknown', null],
    ])('ends uncleanly when a body of %s length fails', async (_name, length) => {
      const { promise, resolve } = later<End>();
      fixture.setServe((down) => {
        ending(down).then(resolve);
        const sink = down.reply({ status: 200, fields: fields() }, length);
        sink.write(Buffer.from('hello'));
        sink.fail(gatewayError('GW_UPSTREAM_CUT'));
      });
      await expect(fixture.request({})).rejects.toThrow();
      expect(await promise).toMatchObject({ how: 'cut', calls: 1 });
    });

    it.each([
      ['short', 'hell'],
      ['long', 'hello!'],
    ])('ends uncleanly when a body turns out too %s', async (_name, text) => {
      fixture.setServe((down) => {
        const sink = down.reply({ status: 200, fields: fields() }, 5);
        sink.write(Buffer.from(text));
        sink.end(null);
      });
      await expect(fixture.request({})).rejects.toThrow();
    });

    it('cuts on abort', async () => {
      const { promise, resolve } = later<End>();
      fixture.setServe((down) => {
        ending(down).then(resolve);
        down.abort();
      });
      await expect(fixture.request({})).rejects.toThrow();
      expect(await promise).toMatchObject({ how: 'cut', calls: 1 });
    });

    it('tells of a client that left, once, and before closed', async () => {
      const told: string[] = [];
      const { promise: begun, resolve: begin } = later<void>();
      const { promise, resolve } = later<void>();
      fixture.setServe((down) => {
        down.left = () => told.push('left');
        down.closed = (how) => {
          told.push(how);
          // What comes too late goes nowhere.
          const sink = down.reply({ status: 200, fields: fields() }, 2);
          sink.write(Buffer.from('ok'));
          sink.end(null);
          setImmediate(resolve);
        };
        begin();
      });
      await fixture.leave({}, begun);
      await promise;
      expect(told).toEqual(['left', 'left']);
    });

    it('fails the body of a client that left', async () => {
      const { promise: begun, resolve: begin } = later<void>();
      const { promise, resolve } = later<string>();
      fixture.setServe((down) => {
        down.body?.read({
          ready: null,
          write: () => {
            begin();
            return true;
          },
          end: () => resolve('end'),
          fail: (error) => resolve(error.code),
        });
      });
      await fixture.leave(
        { method: 'POST', fields: { 'content-length': '1000' }, body: Buffer.from('part') },
        begun,
      );
      expect(await promise).toBe('GW_CLIENT_LEFT');
    });

    it('refuses to send a field that would split the answer', async () => {
      fixture.setServe((down) => answer(down, 'x', 200, { 'x-a': 'b\r\nset-cookie: c=d' }));
      const got = await fixture.request({}).catch(() => null);
      expect(got?.fields['set-cookie']).toBe(undefined);
      expect(got === null || got.status >= 500).toBe(true);
    });

    it('keeps early answers whole while the client is still sending', async () => {
      fixture.setServe((down) => answer(down, 'too early', 401));
      const got = await fixture.request({ method: 'POST', body: Buffer.alloc(512 * 1024) });
      expect(got).toMatchObject({ status: 401 });
      expect(got.body.toString()).toBe('too early');
    });
  });
}
