/** One HTTP/1.1 call on its way: what its connection tells, the response body and the handle to cancel, in one object. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { atTurnEnd, type TurnEnd } from '../kernel/turn-end.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import type { Call, Flight, Receiver } from '../wire/transport.ts';
import type { Connection, Rider } from './connection.ts';
import { requestFailure } from './failures.ts';
import { armSooner, type Time } from './patience.ts';
import type { ParsedHead } from './response-head.ts';
import { type Sender, Upload } from './upload.ts';

/** Where calls get their connections. */
export interface Desk extends Time {
  /** Gives a connection or opens one. */
  seat(flight: HttpFlight): void;
  /** The call is over. Once. */
  left(): void;
}

type Stage = 'waiting' | 'connecting' | 'sending' | 'receiving' | 'over';

const NO_BODY: Body = { length: 0, read: (into) => into.end(null), cancel: () => {} };

export class HttpFlight implements Flight, Body, Rider, Sender, TurnEnd {
  readonly call: Call;
  /** Of the response body; null when only its end will tell. */
  length: number | null = null;
  private readonly desk: Desk;
  private readonly to: Receiver;
  private readonly text: string;
  private stage: Stage = 'waiting';
  private connection: Connection | null = null;
  private upload: Upload | null = null;
  /** The upstream may act from now on. */
  private written = false;
  private answered = false;
  private headSeen = false;
  /** The alarm watches for silence. */
  private idling = false;
  private reusable = true;
  private sink: Sink | null = null;
  private paused = false;
  private lateFailure: GatewayError | null = null;
  private movedMs = 0;
  private byDeadline = false;

  /** @param text the head as it is written */
  constructor(desk: Desk, call: Call, to: Receiver, text: string) {
    this.desk = desk;
    this.call = call;
    this.to = to;
    this.text = text;
  }

  // What the desk says.

  /** Takes a connection that stands. */
  board(connection: Connection): void {
    this.connection = connection;
    connection.rider = this;
    this.connected();
  }

  /** Takes a connection that is being opened. */
  await(connection: Connection): void {
    this.connection = connection;
    this.stage = 'connecting';
    this.arm(this.call.timeouts.connectMs);
  }

  connected(): void {
    this.stage = 'sending';
    // What it was set for, connecting or being idle, is over.
    this.desk.wheel.disarm(this.connection!.alarm);
    // By then the loop has read what came on an idle connection: a close, or bytes that nobody asked for.
    atTurnEnd(this);
  }

  turnEnded(): void {
    const { connection } = this;
    if (connection === null || this.stage !== 'sending' || this.written) return;
    const { head, body } = this.call;
    const { socket } = connection;
    this.written = true;
    connection.expect(this, head.method === 'HEAD');
    if (!this.hasBody) {
      socket.write(this.text, 'latin1');
      this.uploadSent();
      return;
    }
    this.arm(0);
    const upload = new Upload(this, socket, body!);
    this.upload = upload;
    try {
      upload.begin(this.text);
    } catch (error) {
      this.threw(error);
    }
  }

  connectFailed(error: GatewayError): void {
    this.connection = null;
    this.lose(error);
  }

  ring(): void {
    if (this.stage === 'receiving') {
      this.ringIdle();
    } else if (this.byDeadline) {
      this.lose(gatewayError('GW_TIMEOUT', `while ${this.doing}`));
    } else if (this.stage === 'connecting') {
      this.lose(gatewayError('GW_CONNECT_TIMEOUT', `${this.call.timeouts.connectMs} ms`));
    } else {
      this.lose(gatewayError('GW_UPSTREAM_TIMEOUT', `${this.call.timeouts.firstByteMs} ms`));
    }
  }

  // What the upload says.

  uploadMoved(): void {
    if (this.stage === 'receiving') this.movedMs = this.desk.clock.nowMs();
  }

  uploadHeld(held: boolean): void {
    // An upstream that stops reading is as silent as one that does not answer.
    if (this.stage === 'sending') this.arm(held ? this.call.timeouts.firstByteMs : 0);
  }

  uploadSent(): void {
    if (this.stage === 'sending') this.arm(this.call.timeouts.firstByteMs);
  }

  uploadFailed(error: GatewayError): void {
    this.lose(error);
  }

  // What the connection says.

  drained(): void {
    this.upload?.drained();
  }

  answering(): void {
    this.answered = true;
  }

  informed(head: ParsedHead): void {
    this.to.inform(head.status, head.fields);
  }

  headed(head: ParsedHead, length: number | null): void {
    this.headSeen = true;
    this.stage = 'receiving';
    if (head.closes) this.reusable = false;
    this.noteKeepAlive(head.keepAliveSeconds);
    const answer = { status: head.status, fields: head.fields };
    if (length === 0) {
      this.to.head(answer, NO_BODY);
      return;
    }
    this.length = length;
    this.paused = true;
    this.connection!.pause();
    this.to.head(answer, this);
  }

  data(piece: Uint8Array): void {
    if (this.sink!.write(piece) || this.stage === 'over') return;
    this.paused = true;
    this.connection!.pause();
    const unpause = () => this.unpause();
    this.sink!.ready ??= unpause;
  }

  received(): void {
    if (this.stage !== 'receiving') return;
    // Most answers are whole within one read, and are spared the clock.
    this.movedMs = this.desk.clock.nowMs();
    if (this.idling) return;
    this.idling = true;
    this.armIdle(this.call.timeouts.idleMs);
  }

  completed(trailers: Fields | null): void {
    const connection = this.connection!;
    const sink = this.sink;
    const upload = this.upload;
    this.leave();
    if (upload !== null && !upload.complete) {
      // An early answer: the rest of the request would have to be sent before another one could.
      connection.destroy();
      upload.stop(gatewayError('GW_UPSTREAM_RESET', 'answered before the request body was sent'));
    } else if (this.reusable) {
      connection.release();
    } else {
      connection.destroy();
    }
    sink?.end(trailers);
  }

  broke(error: Error | null): void {
    if (this.stage === 'over') return;
    const connection = this.connection!;
    if (!this.written && connection.served > 0) {
      // The idle connection closed before anything was written: any other one will do.
      connection.destroy();
      this.connection = null;
      this.stage = 'waiting';
      this.desk.seat(this);
      return;
    }
    // The same on a fresh one, but opening one more could go on for ever: that is for retries to bound.
    if (!this.written)
      this.lose(gatewayError('GW_CONNECT_REFUSED', 'closed before anything was sent', error));
    else this.fail(error);
  }

  threw(error: unknown): void {
    // Nobody is left to be told of a fault of ours behind the end but the log.
    if (this.stage === 'over') throw error;
    this.fail(error);
  }

  // What the receiver says.

  read(into: Sink): void {
    if (this.lateFailure !== null) {
      into.fail(this.lateFailure);
      return;
    }
    this.sink = into;
    this.unpause();
  }

  cancel(why: GatewayError): void {
    if (this.stage === 'over') return;
    this.abandon();
    this.upload?.stop(why);
  }

  /** Fails the call, but not before the caller of `send` has its flight. */
  failSoon(error: GatewayError): void {
    queueMicrotask(() => this.lose(error));
  }

  /** Ends the call with an error, wherever it is. */
  lose(error: GatewayError): void {
    if (this.stage === 'over') return;
    const sink = this.sink;
    this.abandon();
    this.upload?.stop(error);
    if (!this.headSeen) this.to.fail(error);
    else if (sink !== null) sink.fail(error);
    else this.lateFailure = error;
  }

  private fail(error: unknown): void {
    const reused = this.connection!.served > 0;
    this.lose(requestFailure(error, { reused, answered: this.answered, headed: this.headSeen }));
  }

  /** In words, for who reads why it took too long. */
  private get doing(): string {
    const sent = this.written && (this.upload === null || this.upload.complete);
    return this.stage === 'sending' && sent ? 'waiting for the answer' : this.stage;
  }

  private get hasBody(): boolean {
    return this.call.body !== null && this.call.body.length !== 0;
  }

  /** Cuts whatever is under way. */
  private abandon(): void {
    const connection = this.connection;
    this.leave();
    connection?.destroy();
  }

  private leave(): void {
    this.stage = 'over';
    this.connection = null;
    this.sink = null;
    this.desk.left();
  }

  private unpause(): void {
    if (!this.paused || this.stage === 'over') return;
    this.paused = false;
    this.connection!.resume();
  }

  private noteKeepAlive(seconds: number | null): void {
    if (seconds === null) return;
    const connection = this.connection!;
    // A second earlier than the origin, so that it does not close as we write.
    const hintMs = (seconds - 1) * 1000;
    if (hintMs <= 0) this.reusable = false;
    else connection.idleMs = Math.min(connection.idleMs, hintMs);
  }

  private arm(limitMs: number): void {
    this.byDeadline = armSooner(this.desk, this.connection!.alarm, limitMs, this.call.deadlineMs);
  }

  private armIdle(delayMs: number): void {
    this.desk.wheel.arm(this.connection!.alarm, delayMs);
  }

  private ringIdle(): void {
    const { idleMs } = this.call.timeouts;
    const leftMs = this.movedMs + idleMs - this.desk.clock.nowMs();
    // While the reader holds the body back, the upstream's silence is not its own.
    if (this.paused) this.armIdle(idleMs);
    else if (leftMs > 0) this.armIdle(leftMs);
    else this.lose(gatewayError('GW_UPSTREAM_IDLE', `${idleMs} ms`));
  }
}
