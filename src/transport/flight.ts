/** One HTTP/1.1 call on its way: what undici calls back, the response body and the handle to cancel, in one object. */

import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Call, Flight, Receiver } from '../wire/transport.ts';
import type { Connection, Rider } from './connection.ts';
import { refusedArgument, requestFailure } from './failures.ts';
import { armSooner, type Time } from './patience.ts';
import { requestFields, unfitRequest } from './request-fields.ts';
import { responseFields, responseTrailers } from './response-fields.ts';
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

export class HttpFlight implements Flight, Body, Rider, Sender {
  readonly call: Call;
  /** Of the response body; null when only its end will tell. */
  length: number | null = null;
  private readonly desk: Desk;
  private readonly to: Receiver;
  private stage: Stage = 'waiting';
  private connection: Connection | null = null;
  private upload: Upload | null = null;
  /** undici has written the head: the upstream may act from now on. */
  private written = false;
  private answered = false;
  private headed = false;
  private reusable = true;
  private sink: Sink | null = null;
  private paused = false;
  private resumeParser: (() => void) | null = null;
  private lateFailure: GatewayError | null = null;
  private movedMs = 0;
  private byDeadline = false;

  constructor(desk: Desk, call: Call, to: Receiver) {
    this.desk = desk;
    this.call = call;
    this.to = to;
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
    const { call, connection } = this;
    this.stage = 'sending';
    const head = call.head;
    const body = call.body !== null && call.body.length !== 0 ? new Upload(this, call.body) : null;
    this.upload = body;
    this.arm(0);
    connection!.dispatch(
      {
        path: head.query === '' ? head.path : head.path + head.query,
        method: head.method as Dispatcher.HttpMethod,
        headers: requestFields(head, call.body) as string[],
        body: body as unknown as Readable | null,
        // Keep the connection after HEAD and after bodies on unusual methods.
        reset: false,
        blocking: false,
      },
      this,
    );
  }

  connectFailed(error: GatewayError): void {
    this.connection = null;
    this.lose(error);
  }

  ring(): void {
    if (this.stage === 'receiving') {
      this.ringIdle();
    } else if (this.byDeadline) {
      this.lose(gatewayError('GW_TIMEOUT', `while ${this.stage}`));
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

  uploadFailed(error: GatewayError): void {
    this.lose(error);
  }

  // What undici says.

  onConnect(): void {
    this.written = true;
  }

  onRequestSent(): void {
    if (this.stage === 'sending') this.arm(this.call.timeouts.firstByteMs);
  }

  onResponseStarted(): void {
    this.answered = true;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void): boolean {
    if (this.stage === 'over') return true;
    const head = responseFields(raw);
    if (head.problem !== null) {
      this.lose(gatewayError('GW_UPSTREAM_PROTOCOL', head.problem));
      return true;
    }
    if (status < 200) {
      this.to.inform(status, head.fields);
      return true;
    }
    this.headed = true;
    this.stage = 'receiving';
    if (head.connection.includes('close')) this.reusable = false;
    this.noteKeepAlive(head.keepAliveSeconds);
    const size = head.fields['content-length'];
    const empty = status === 204 || status === 304 || size === '0' || this.call.head.method === 'HEAD';
    if (empty) {
      this.to.head({ status, fields: head.fields }, NO_BODY);
      return true;
    }
    this.length = typeof size === 'string' ? Number(size) : null;
    this.resumeParser = resume;
    this.paused = true;
    this.to.head({ status, fields: head.fields }, this);
    this.movedMs = this.desk.clock.nowMs();
    if (!this.over) this.armIdle(this.call.timeouts.idleMs);
    return !this.paused;
  }

  onData(chunk: Buffer): boolean {
    if (this.sink === null) return true;
    this.movedMs = this.desk.clock.nowMs();
    if (this.sink.write(chunk)) return true;
    this.paused = true;
    const unpause = () => this.unpause();
    this.sink.ready ??= unpause;
    return false;
  }

  onComplete(rawTrailers: string[] | null): void {
    if (this.stage === 'over') return;
    const connection = this.connection!;
    if (connection.broken !== null && this.length === null) {
      // undici takes a reset for the end of a body that only the close delimits.
      this.onError(connection.broken);
      return;
    }
    const sink = this.sink;
    const upload = this.upload;
    this.leave();
    if (upload !== null && !upload.complete) {
      // An early answer: undici closes the connection by itself.
      connection.destroy();
      upload.stop(gatewayError('GW_UPSTREAM_RESET', 'answered before the request body was sent'));
    } else if (this.reusable) {
      connection.release(true);
    } else {
      connection.destroy();
    }
    sink?.end(responseTrailers(rawTrailers));
  }

  onError(error: Error): void {
    if (this.stage === 'over') return;
    if (refusedArgument(error)) {
      // Nothing was queued, so the connection is as good as before; nobody is told before `send` returned.
      const connection = this.connection!;
      this.connection = null;
      connection.release(false);
      this.failSoon(unfitRequest(this.call.head) ?? gatewayError('GW_INTERNAL', error.message, error));
      return;
    }
    const connection = this.connection!;
    const reused = connection.served > 0;
    if (!this.written && reused) {
      // The idle connection closed before anything was written: any other one will do.
      connection.destroy();
      this.connection = null;
      this.stage = 'waiting';
      this.desk.seat(this);
      return;
    }
    const { answered, headed } = this;
    this.lose(requestFailure(connection.broken ?? error, { reused, answered, headed }));
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
    if (!this.headed) this.to.fail(error);
    else if (sink !== null) sink.fail(error);
    else this.lateFailure = error;
  }

  private get over(): boolean {
    return this.stage === 'over';
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
    this.resumeParser = null;
    this.desk.left();
  }

  private unpause(): void {
    if (!this.paused || this.resumeParser === null) return;
    this.paused = false;
    this.movedMs = this.desk.clock.nowMs();
    // Not at once: undici's parsers cannot be entered from one another's callbacks.
    queueMicrotask(this.resumeParser);
  }

  private noteKeepAlive(seconds: number | null): void {
    if (seconds === null || this.connection === null) return;
    // A second earlier than the origin, so that it does not close as we write.
    const hintMs = (seconds - 1) * 1000;
    if (hintMs <= 0) this.reusable = false;
    else this.connection.idleMs = Math.min(this.connection.idleMs, hintMs);
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
