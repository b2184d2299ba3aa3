import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAccessLog } from '../../../src/telemetry/access-log.ts';
import { createJsonLine } from '../../../src/telemetry/json-line.ts';
import { ACCESS_FIELDS } from '../../../src/telemetry/log-fields.ts';
import { createManualClock } from '../../kit/clock.ts';
import { outcome } from '../../kit/telemetry.ts';

const full = outcome({
  parts: 'user;code=-;dur=1.5',
  receivedId: '17',
  w3cId: '4bf92f3577b34da6a3ce929d0e0e4736',
  principal: 'ada',
  hasQuery: true,
  code: 'GW_UPSTREAM_TIMEOUT',
  detail: '15000 ms',
  degraded: 'limit-local places-local',
  status: 504,
});
const bare = outcome({
  upstream: '',
  endpoint: '',
  upstreamMs: -1,
  gatewayMs: -1,
  userAgent: '',
  attempts: 0,
});

describe('a line', () => {
  const print = createJsonLine();
  const read = (o = full) => JSON.parse(print(o)) as Record<string, unknown>;

  test('has each documented field, in the documented order and type', () => {
    const line = read();
    expect(Object.keys(line)).toEqual(ACCESS_FIELDS.map((field) => field.name));
    for (const field of ACCESS_FIELDS) expect(typeof line[field.name], field.name).toBe(field.type);
  });

  test('leaves out what may be missing, and nothing else', () => {
    const always = ACCESS_FIELDS.filter((field) => field.always).map((field) => field.name);
    expect(Object.keys(read(bare))).toEqual(always);
  });

  test('says what happened', () => {
    expect(read()).toMatchObject({
      log: 'access',
      time: '2026-01-02T03:04:05.067Z',
      traceId: '7012345678901234567',
      method: 'GET',
      host: 'shop.example.com',
      path: '/orders/42',
      query: true,
      status: 504,
      code: 'GW_UPSTREAM_TIMEOUT',
      detail: '15000 ms',
      degraded: 'limit-local places-local',
      durationMs: 12.346,
      upstreamMs: 10.5,
      gatewayMs: 1.846,
      outBytes: 512,
      principal: 'ada',
      receivedTraceId: '17',
    });
  });

  test('cannot be broken or added to by what a client sends', () => {
    const evil = 'a"\\\n\r\t\u0000\u001b[31m\u009b31m\u007f\ud800 {"log":"access"}';
    const text = print(
      outcome({ path: evil, userAgent: evil, host: evil, receivedId: evil, method: evil, detail: evil }),
    );
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(text.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/);
    const line = JSON.parse(text) as Record<string, unknown>;
    expect(line.path).toBe(evil);
    expect(line.userAgent).toBe(evil);
    expect(line.method).toBe(evil);
  });

  test('gives back any text, one line a request', () => {
    const any = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(any, any, any, any, (path, userAgent, host, principal) => {
        const text = print(outcome({ path, userAgent, host, principal }));
        expect(text.split('\n')).toHaveLength(2);
        const line = JSON.parse(text) as Record<string, unknown>;
        expect(line).toMatchObject({ path, host });
        expect(line.userAgent ?? '').toBe(userAgent);
        expect(line.principal ?? '').toBe(principal);
      }),
      { seed: 7 },
    );
  });

  test('keeps letters of other scripts and emoji as they are', () => {
    const text = print(outcome({ userAgent: 'é 雪 ❄️ 🦊' }));
    expect(text).toContain('"userAgent":"é 雪 ❄️ 🦊"');
  });

  test('shortens a value that is very long', () => {
    const line = read(outcome({ userAgent: 'x'.repeat(10_000) }));
    expect(line.userAgent).toBe(`${'x'.repeat(1024)}…`);
  });

  test.each([
    [0, 0],
    [0.0004, 0],
    [0.9996, 1],
    [1.0005, 1.001],
    [59_999.999, 59_999.999],
    [3_600_000, 3_600_000],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 0],
  ])('prints a duration of %d ms as %d', (totalMs, printed) => {
    expect(read(outcome({ totalMs })).durationMs).toBe(printed);
  });

  test('prints times before and after each other within and across seconds', () => {
    for (const ms of [0, 999, 1000, 1_767_323_045_067, 1_767_323_045_068, 1_767_323_046_000, 999]) {
      expect(read(outcome({ startWallMs: ms })).time).toBe(new Date(ms).toISOString());
    }
  });
});

describe('the writer', () => {
  const collect = (accepts = () => true) => {
    const writes: string[] = [];
    const destination = {
      write(lines: string | Uint8Array) {
        if (!accepts()) return false;
        writes.push(typeof lines === 'string' ? lines : Buffer.from(lines).toString());
        return true;
      },
      flush: async () => {},
      flushSync() {},
    };
    return { writes, destination };
  };

  test('writes a lone line after 100 ms', () => {
    const clock = createManualClock();
    const { writes, destination } = collect();
    const log = createAccessLog({ destination, clock });
    log.write(outcome());
    clock.advance(99);
    expect(writes).toEqual([]);
    clock.advance(1);
    expect(writes).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('writes before more than 64 KiB are together, whole lines in their order', () => {
    const clock = createManualClock();
    const { writes, destination } = collect();
    const log = createAccessLog({ destination, clock });
    for (let at = 0; at < 800; at++) log.write(outcome({ id: String(at) }));
    expect(writes.length).toBeGreaterThan(2);
    expect(writes.every((text) => text.length > 62 * 1024 && text.length <= 64 * 1024)).toBe(true);
    log.flush();
    const lines = writes.join('').trimEnd().split('\n');
    expect(lines.map((line) => Number((JSON.parse(line) as { traceId: string }).traceId))).toEqual(
      Array.from({ length: 800 }, (_, at) => at),
    );
  });

  test('writes a line that is longer than a batch by itself, in its place', () => {
    const clock = createManualClock();
    const { writes, destination } = collect();
    const log = createAccessLog({ destination, clock });
    const long = '\u0001'.repeat(1024);
    for (const id of ['1', '2', '3']) {
      const path = id === '2' ? long : '/';
      log.write(outcome({ id, path, userAgent: path, host: path, receivedId: path, principal: path }));
    }
    log.flush();
    expect(writes).toHaveLength(3);
    const lines = writes.join('').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { traceId: string }).traceId)).toEqual(['1', '2', '3']);
  });

  test('counts the lines that a full destination would not take, and goes on when it does', () => {
    const clock = createManualClock();
    let open = false;
    const { writes, destination } = collect(() => open);
    const told: number[] = [];
    const log = createAccessLog({ destination, clock, onDropped: (lines) => told.push(lines) });
    log.write(outcome());
    log.write(outcome());
    clock.advance(100);
    expect(log.dropped).toBe(2);
    expect(told).toEqual([2]);
    open = true;
    log.write(outcome());
    clock.advance(100);
    expect(writes).toHaveLength(1);
    expect(log.dropped).toBe(2);
  });

  test('hands over everything at the stop', async () => {
    const clock = createManualClock();
    const { writes, destination } = collect();
    const log = createAccessLog({ destination, clock });
    log.write(outcome());
    await log.stop();
    expect(writes).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('prints a short line for people on a terminal, with nothing that could steer it', () => {
    const clock = createManualClock();
    const { writes, destination } = collect();
    const log = createAccessLog({ destination, clock, pretty: true });
    log.write(outcome({ status: 502, code: 'GW_UPSTREAM_RESET', path: '/a\u001b[2J\u009b2J', attempts: 2 }));
    log.flush();
    const plain = writes[0]!.replace(/\u001b\[\d*m/g, '');
    expect(plain).toBe(
      '03:04:05.067 GET  /a\\u001b[2J\\u009b2J 502 12ms  orders → 10.0.0.1:8080  2 tries  GW_UPSTREAM_RESET\n',
    );
  });
});
