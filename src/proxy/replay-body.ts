/** A request body that several attempts can send: what has passed is held while it is small. */
import type { Clock } from '../kernel/clock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';

/** Held at most for one call; past it there is no other try. */
export const REPLAY_BYTES = 65_536;

/** The body as one attempt has it; once the next attempt has its own, this one has no say any more. */
class AttemptBody implements Body {
  readonly #replay: ReplayBody;

  constructor(replay: ReplayBody) {
    this.#replay = replay;
  }

  get length(): number | null {
    return this.#replay.length;
  }

  read(into: Sink): void {
    this.#replay.readBy(this, into);
  }

  cancel(why: GatewayError): void {
    this.#replay.cancelBy(this, why);
  }
}

/** Stands between the source and the attempts; a chunk is passed on as it comes, and copied while that is wanted. */
export class ReplayBody implements Sink {
  readonly length: number | null;
  /** When the source had given all, monotonic; -1 while it has not. */
  endedMs = -1;
  readonly #source: Body;
  readonly #clock: Clock;
  /** The source's: wakes it when it was told to wait. */
  #wake: (() => void) | null = null;
  #reader: AttemptBody | null = null;
  #into: Sink | null = null;
  #held: Uint8Array[] | null;
  #heldBytes = 0;
  /** Index of the next held chunk for a reader that is catching up; -1 when it has caught up. */
  #replayAt = -1;
  #started = false;
  #paused = false;
  #ended = false;
  #trailers: Fields | null = null;
  #failure: GatewayError | null = null;
  /** Why an attempt lost interest, while it was open whether another follows. */
  #stopped: GatewayError | null = null;
  #released = false;
  #closed = false;

  constructor(source: Body, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.length = source.length;
    this.#held = source.length !== null && source.length > REPLAY_BYTES ? null : [];
  }

  /** True while another attempt would send the same bytes. */
  get replayable(): boolean {
    return this.#failure === null && !this.#closed && (!this.#started || this.#held !== null);
  }

  /** Bytes held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A body for the next attempt; the one before hears nothing more. */
  next(): Body {
    this.#detach();
    this.#reader = new AttemptBody(this);
    return this.#reader;
  }

  /** No other try will come: frees what is held, and from now on a cancel reaches the source. */
  release(): void {
    this.#released = true;
    if (this.#replayAt < 0) this.#drop();
    // An attempt that lost interest before its answer was chosen left the source waiting.
    if (this.#started && this.#into === null && !this.#ended && this.#stopped !== null)
      this.close(this.#stopped);
  }

  /** Ends it all: nothing more is taken from the source. Idempotent. */
  close(why: GatewayError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#detach();
    this.#drop();
    this.#source.cancel(why);
  }

  /** @internal */
  readBy(reader: AttemptBody, into: Sink): void {
    if (reader !== this.#reader || this.#closed) return;
    this.#into = into;
    if (!this.#started) {
      this.#started = true;
      this.#source.read(this);
      return;
    }
    if (this.#failure !== null) {
      into.fail(this.#failure);
      return;
    }
    this.#replayAt = 0;
    const catchUp = () => this.#catchUp();
    into.ready = catchUp;
    this.#catchUp();
  }

  /** @internal */
  cancelBy(reader: AttemptBody, why: GatewayError): void {
    if (reader !== this.#reader) return;
    this.#detach();
    if (this.#released) this.close(why);
    else this.#stopped = why;
  }

  // Sink: what the source gives

  get ready(): (() => void) | null {
    return this.#wake;
  }

  set ready(run: (() => void) | null) {
    this.#wake = run;
    // Straight to the reader, so that the usual way costs nothing.
    if (this.#into !== null && this.#replayAt < 0) this.#into.ready = run;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closed) return false;
    this.#paused = false;
    const into = this.#replayAt < 0 ? this.#into : null;
    if (into === null) {
      // Nobody takes it now: it is held, and past the bound the source waits.
      if (this.#held === null) return this.#pause();
      this.#hold(chunk);
      return this.#heldBytes < REPLAY_BYTES ? true : this.#pause();
    }
    if (this.#held !== null) {
      if (this.#heldBytes + chunk.byteLength <= REPLAY_BYTES) this.#hold(chunk);
      else this.#drop();
    }
    return into.write(chunk) ? true : this.#pause();
  }

  end(trailers: Fields | null): void {
    if (this.#closed) return;
    this.#ended = true;
    this.endedMs = this.#clock.nowMs();
    this.#trailers = trailers;
    if (this.#replayAt < 0) this.#into?.end(trailers);
  }

  fail(error: GatewayError): void {
    if (this.#closed) return;
    this.#failure = error;
    this.#replayAt = -1;
    this.#drop();
    this.#into?.fail(error);
  }

  #pause(): boolean {
    this.#paused = true;
    return false;
  }

  #hold(chunk: Uint8Array): void {
    // The source may use its buffer again once `write` has returned.
    this.#held!.push(Buffer.from(chunk));
    this.#heldBytes += chunk.byteLength;
  }

  #drop(): void {
    this.#held = null;
    this.#heldBytes = 0;
  }

  #detach(): void {
    if (this.#into !== null) this.#into.ready = null;
    this.#into = null;
    this.#reader = null;
    this.#replayAt = -1;
  }

  /** Gives a new reader what the ones before have had, then lets it have the source. */
  #catchUp(): void {
    const into = this.#into;
    while (into !== null && into === this.#into && this.#replayAt >= 0) {
      const chunk = this.#held?.[this.#replayAt];
      if (chunk === undefined) {
        this.#caughtUp(into);
        return;
      }
      this.#replayAt++;
      if (!into.write(chunk)) return;
    }
  }

  #caughtUp(into: Sink): void {
    this.#replayAt = -1;
    if (this.#released || this.#heldBytes > REPLAY_BYTES) this.#drop();
    into.ready = this.#wake;
    if (this.#ended) {
      into.end(this.#trailers);
    } else if (this.#paused) {
      this.#paused = false;
      this.#wake?.();
    }
  }
}
