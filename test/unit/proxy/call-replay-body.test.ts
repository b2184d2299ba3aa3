/** A body for several attempts: what is held, what is passed on, and when it is let go. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GatewayError, gatewayError } from '../../../src/kernel/errors.ts';
import { REPLAY_BYTES, ReplayBody } from '../../../src/proxy/replay-body.ts';
import type { Body, Sink } from '../../../src/wire/body.ts';
import type { Fields } from '../../../src/wire/fields.ts';
import { createFields } from '../../../src/wire/fields.ts';
import { createManualClock } from '../../kit/clock.ts';

const WHY = gatewayError('GW_UPSTREAM_RESET');

/** A source that a test drives by hand. */
class HandSource implements Body {
  length: number | null = null;
  into: Sink | null = null;
  cancelled: GatewayError | null = null;
  woken = 0;

  read(into: Sink): void {
    if (this.into !== null) throw new Error('read twice');
    this.into = into;
    into.ready = () => {
      this.woken++;
    };
  }

  cancel(why: GatewayError): void {
    this.cancelled = why;
  }

  give(text: string): boolean {
    return this.into!.write(Buffer.from(text));
  }
}

class Taker implements Sink {
  ready: (() => void) | null = null;
  text = '';
  ended = false;
  trailers: Fields | null = null;
  error: GatewayError | null = null;
  /** Chunks that it takes before it asks to wait. */
  room = Number.POSITIVE_INFINITY;

  write(chunk: Uint8Array): boolean {
    this.text += Buffer.from(chunk).toString();
    this.room--;
    return this.room > 0;
  }
  end(trailers: Fields | null): void {
    this.ended = true;
    this.trailers = trailers;
  }
  fail(error: GatewayError): void {
    this.error = error;
  }
}

const setUp = (length: number | null = null) => {
  const source = new HandSource();
  source.length = length;
  return { source, replay: new ReplayBody(source, createManualClock()) };
};

test('an unread body is not touched and can be sent any number of times', () => {
  const { source, replay } = setUp(1_000_000);
  replay.next();
  replay.next().cancel(WHY);
  expect(source.into).toBeNull();
  expect(source.cancelled).toBeNull();
  expect(replay.replayable).toBe(true);
});

test('the next attempt gets what has passed, then the rest, then the end with its trailers', () => {
  const { source, replay } = setUp();
  const [first, second] = [new Taker(), new Taker()];
  const body = replay.next();
  body.read(first);
  source.give('one ');
  body.cancel(WHY);
  source.give('two ');
  replay.next().read(second);
  source.give('three');
  const trailers = Object.assign(createFields(), { digest: 'x' });
  source.into!.end(trailers);
  expect(first.text).toBe('one ');
  expect(first.ended).toBe(false);
  expect(second).toMatchObject({ text: 'one two three', ended: true, trailers });
});

test('a body that has ended is sent again whole', () => {
  const { source, replay } = setUp();
  replay.next().read(new Taker());
  source.give('all');
  source.into!.end(null);
  const again = new Taker();
  replay.next().read(again);
  expect(again).toMatchObject({ text: 'all', ended: true });
});

test('chunks are copied, since the source may use its buffer again', () => {
  const { source, replay } = setUp();
  replay.next().read(new Taker());
  const buffer = Buffer.from('before');
  source.into!.write(buffer);
  buffer.write('after!');
  const again = new Taker();
  replay.next().read(again);
  expect(again.text).toBe('before');
});

test('past the bound nothing is held and nothing is sent again', () => {
  const { source, replay } = setUp();
  const taker = new Taker();
  replay.next().read(taker);
  source.give('x'.repeat(REPLAY_BYTES));
  expect(replay.replayable).toBe(true);
  expect(replay.heldBytes).toBe(REPLAY_BYTES);
  source.give('y');
  expect(replay.replayable).toBe(false);
  expect(replay.heldBytes).toBe(0);
  expect(taker.text).toHaveLength(REPLAY_BYTES + 1);
});

test('a body known to be too large is never held', () => {
  const { source, replay } = setUp(REPLAY_BYTES + 1);
  replay.next().read(new Taker());
  source.give('x');
  expect(replay.heldBytes).toBe(0);
  expect(replay.replayable).toBe(false);
});

test('between two attempts the source is held back at the bound, and nothing of it is lost', () => {
  const { source, replay } = setUp();
  const body = replay.next();
  body.read(new Taker());
  source.give('a');
  body.cancel(WHY);
  expect(source.give('b')).toBe(true);
  expect(source.give('c'.repeat(REPLAY_BYTES))).toBe(false);
  expect(replay.replayable).toBe(true);
  const second = new Taker();
  replay.next().read(second);
  expect(second.text).toHaveLength(REPLAY_BYTES + 2);
  expect(source.woken).toBe(1);
  // It was more than may be held, so this was the last time.
  expect(replay.heldBytes).toBe(0);
  expect(replay.replayable).toBe(false);
});

test('a slow reader of the replay keeps the order and wakes the source only when it has caught up', () => {
  const { source, replay } = setUp();
  replay.next().read(new Taker());
  for (const text of ['1', '2', '3']) source.give(text);
  const slow = new Taker();
  slow.room = 1;
  replay.next().read(slow);
  expect(slow.text).toBe('1');
  source.give('4');
  replay.release();
  source.give('5');
  slow.room = 2;
  slow.ready!();
  expect(slow.text).toBe('123');
  slow.room = 9;
  slow.ready!();
  expect(slow.text).toBe('12345');
  source.give('6');
  expect(slow.text).toBe('123456');
  expect(replay.heldBytes).toBe(0);
  slow.ready!();
  expect(source.woken).toBe(1);
});

test('an attempt that is over has no say any more', () => {
  const { source, replay } = setUp();
  const old = replay.next();
  old.read(new Taker());
  const taker = new Taker();
  replay.next().read(taker);
  old.cancel(WHY);
  old.read(new Taker());
  source.give('x');
  expect(taker.text).toBe('x');
});

test('a source that fails fails its reader, and is not tried again', () => {
  const { source, replay } = setUp();
  const taker = new Taker();
  replay.next().read(taker);
  source.give('x');
  source.into!.fail(WHY);
  expect(taker.error).toBe(WHY);
  expect(replay.replayable).toBe(false);
  expect(replay.heldBytes).toBe(0);
});

test('a source that fails between attempts fails the next reader', () => {
  const { source, replay } = setUp();
  const body = replay.next();
  body.read(new Taker());
  body.cancel(WHY);
  source.into!.fail(WHY);
  const taker = new Taker();
  replay.next().read(taker);
  expect(taker.error).toBe(WHY);
});

describe('once the answer is chosen', () => {
  test('nothing more is held', () => {
    const { source, replay } = setUp();
    const taker = new Taker();
    replay.next().read(taker);
    source.give('a');
    replay.release();
    source.give('b');
    expect(taker.text).toBe('ab');
    expect(replay.heldBytes).toBe(0);
  });

  test.each(['before', 'after'])('a cancel that came %s it reaches the source', (when) => {
    const { source, replay } = setUp();
    const body = replay.next();
    body.read(new Taker());
    if (when === 'before') body.cancel(WHY);
    expect(source.cancelled).toBeNull();
    replay.release();
    if (when === 'after') body.cancel(WHY);
    expect(source.cancelled).toBe(WHY);
  });
});

test('close stops the source and tells nobody', () => {
  const { source, replay } = setUp();
  const taker = new Taker();
  replay.next().read(taker);
  source.give('x');
  replay.close(WHY);
  replay.close(WHY);
  expect(source.cancelled).toBe(WHY);
  expect(source.give('y')).toBe(false);
  source.into!.end(null);
  expect(taker).toMatchObject({ text: 'x', ended: false, error: null });
  expect(replay.heldBytes).toBe(0);
});

test('whatever the pace, the last attempt gets every byte once and in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom('next', 'wake', 'cancel'), fc.nat(9)), { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 10 }),
      (steps, rooms) => {
        const { source, replay } = setUp();
        let sent = '';
        let reader = new Taker();
        let body = replay.next();
        body.read(reader);
        for (const step of steps) {
          if (typeof step === 'number') {
            sent += String(step);
            source.give(String(step));
          } else if (step === 'cancel') {
            body.cancel(WHY);
          } else if (step === 'next') {
            reader = new Taker();
            reader.room = rooms.pop() ?? Number.POSITIVE_INFINITY;
            body = replay.next();
            body.read(reader);
          } else {
            reader.room = 3;
            reader.ready?.();
          }
        }
        reader = new Taker();
        replay.next().read(reader);
        source.into!.end(null);
        expect(reader).toMatchObject({ text: sent, ended: true });
      },
    ),
    { numRuns: 200 },
  );
});
