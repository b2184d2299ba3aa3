/** One part of an aggregate on its way: its request, its answer as checked JSON, and how it ended. */
import { GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import { replayBody } from '../pipeline/bodies.ts';
import { Attempt, type LiveExchange } from '../pipeline/exchange.ts';
import type { EndpointInfo } from '../plugin.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import type { RequestHead, ResponseHead } from '../wire/heads.ts';
import type { Call, CallObserver, Flight, Receiver } from '../wire/transport.ts';
import { answerProblem } from './aggregate-accept.ts';
import { jsonProblem, membersOf, valueAt } from './aggregate-json.ts';
import type { PartOptions } from './aggregate-options.ts';
import { partHead } from './aggregate-request.ts';
import type { Answers } from './aggregate-template.ts';
import { pluginError } from './problem.ts';
import { endpointHost } from './request-head.ts';

/** Deeper or wider answers are no data but an attack, or a mistake. */
const BOUNDS = { depth: 64, keys: 50_000 };
/** Past this a new connection is cheaper than reading an unwanted answer away. */
const MOST_UNWANTED_BYTES = 16_384;

/** Who started the part. */
export interface PartOwner {
  /** Once, unless it was dropped or passed. */
  settled(run: PartRun): void;
  /** The answer becomes the client's, as it is; its body has not been read. */
  passed(run: PartRun, body: Body): void;
}

export interface PartContext {
  readonly x: LiveExchange;
  readonly owner: PartOwner;
  readonly wheel: Wheel;
  /** Monotonic end of the time for the whole. */
  readonly deadlineMs: number;
}

/** Receives the call's answer, reads it, and keeps what came of it for whoever joins the parts. */
export class PartRun implements Receiver, Sink, CallObserver {
  readonly options: PartOptions;
  readonly changesHead: boolean;
  readonly #context: PartContext;
  ready: (() => void) | null = null;
  state: 'waiting' | 'running' | 'ended' = 'waiting';
  error: GatewayError | null = null;
  /** JSON after `at`: what references look into; '' before a good end. */
  answer = '';
  /** JSON as it goes into the whole. */
  value = '';
  answerHead: ResponseHead | null = null;
  tookMs = 0;
  #startMs = 0;
  #deadlineMs = 0;
  #flight: Flight | null = null;
  /** Why the flight must end, said before there was one. */
  #givenUp: GatewayError | null = null;
  #alarm: Alarm | null = null;
  /** Made with the first bytes. */
  #decoder: TextDecoder | null = null;
  #text = '';
  #sizeBytes = 0;

  constructor(options: PartOptions, context: PartContext) {
    this.options = options;
    this.#context = context;
    this.changesHead = options.attempt !== null || options.hostHeader === 'upstream';
  }

  get code(): GatewayError['code'] | '-' {
    return this.error === null ? '-' : this.error.code;
  }

  /** Sends the call; it may end before this returns. */
  start(answers: Answers): void {
    const { x, deadlineMs } = this.#context;
    const { part, call: upstream } = this.options;
    this.state = 'running';
    this.#startMs = x.clock.nowMs();
    this.#deadlineMs = Math.min(deadlineMs, this.#startMs + (part.timeoutMs ?? Number.POSITIVE_INFINITY));
    if (this.#deadlineMs <= this.#startMs) {
      this.#settle(this.#late());
      return;
    }
    let call: Call;
    try {
      call = this.#outgoing(answers);
    } catch (cause) {
      const internal = () => gatewayError('GW_INTERNAL', String(cause), cause);
      this.#settle(cause instanceof GatewayError ? cause : internal());
      return;
    }
    this.#flight = upstream.send(call, this);
    if (this.#givenUp !== null) this.#flight.cancel(this.#givenUp);
  }

  /** Ends it from outside, without a word to its owner. */
  drop(why: GatewayError): void {
    if (this.state === 'ended') return;
    this.#end(why);
    this.#giveUp(why);
  }

  #outgoing(answers: Answers): Call {
    const { x } = this.#context;
    const { timeouts, body, hash } = this.options;
    return {
      head: partHead(x, this.options, answers),
      body: body === null ? null : replayBody(new TextEncoder().encode(body(x, answers))),
      deadlineMs: this.#deadlineMs,
      timeouts,
      hash: hash === null ? 0 : hash(x),
      observer: this,
    };
  }

  // Observer

  attempt(head: RequestHead, to: EndpointInfo): Attempt {
    const { x } = this.#context;
    const { hostHeader, attempt: hooks } = this.options;
    const attempt = x.addAttempt(to.upstream, to.endpoint);
    if (hostHeader === 'upstream') head.authority = endpointHost(to.endpoint);
    if (hooks === null) return attempt;
    try {
      hooks(x, head, to);
    } catch (cause) {
      // `send` may not have given its flight yet; but no transport writes a byte of a head that has no path.
      head.path = '';
      this.#refuse(pluginError(cause));
    }
    return attempt;
  }

  attempted(status: number, error: GatewayError | null, mark?: unknown): void {
    // Attempts of other parts are under way too: the last one need not be ours.
    if (mark instanceof Attempt)
      this.#context.x.settleAttempt(status, error === null ? '-' : error.code, mark);
  }

  // Receiver

  inform(): void {
    // Interim answers are of one call; the client's is another.
  }

  head(head: ResponseHead, body: Body): void {
    if (this.state === 'ended') {
      body.cancel(this.error ?? gatewayError('GW_INTERNAL', 'an answer after the end'));
      return;
    }
    this.answerHead = head;
    const { part } = this.options;
    if (part.passStatus.includes(head.status)) {
      this.#end(null);
      this.#context.owner.passed(this, body);
      return;
    }
    const problem = answerProblem(head, body.length, part.limitBytes);
    if (problem === null) this.#limitTime();
    else this.#settle(problem);
    if (problem === null || (body.length ?? 0) <= MOST_UNWANTED_BYTES) body.read(this);
    else body.cancel(problem);
  }

  /** Of the call before its head, or of the body after. */
  fail(error: GatewayError): void {
    const late = error.code === 'GW_TIMEOUT' && this.state === 'running';
    this.#settle(late ? this.#late() : error);
  }

  // Sink

  write(chunk: Uint8Array): boolean {
    this.#sizeBytes += chunk.byteLength;
    if (this.state === 'ended') {
      // Nobody wants it: read away for the sake of the connection, as far as that pays.
      if (this.#sizeBytes > MOST_UNWANTED_BYTES) this.#giveUp(this.error!);
      return true;
    }
    const { limitBytes } = this.options.part;
    if (this.#sizeBytes > limitBytes) {
      this.#refuse(gatewayError('GW_PART_TOO_LARGE', `more than ${limitBytes} bytes`));
      return false;
    }
    this.#decoder ??= new TextDecoder('utf-8', { fatal: true });
    return this.#decode(() => this.#decoder!.decode(chunk, { stream: true }));
  }

  end(_trailers: Fields | null): void {
    if (this.state === 'ended') return;
    if (this.#decoder !== null && !this.#decode(() => this.#decoder!.decode())) return;
    this.#settle(this.#take());
  }

  /** Adds a piece of text; false where the bytes are none. */
  #decode(piece: () => string): boolean {
    try {
      this.#text += piece();
      return true;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#refuse(gatewayError('GW_PART_INVALID', 'not UTF-8'));
      return false;
    }
  }

  /** Takes from the whole text what is wanted, or says why it cannot be used. */
  #take(): GatewayError | null {
    const { part, shape } = this.options;
    const problem = jsonProblem(this.#text, BOUNDS);
    if (problem !== null) return gatewayError('GW_PART_INVALID', problem);
    // Only spaces of JSON can stand around it now.
    const answer = valueAt(this.#text.trim(), part.at);
    if (answer === null) return gatewayError('GW_PART_INVALID', `nothing at /${part.at.join('/')}`);
    const value = shape === null ? answer : shape(answer);
    if (value === null) return gatewayError('GW_PART_INVALID', 'neither a map nor a list of maps');
    if (part.into === null && membersOf(value) === null)
      return gatewayError('GW_PART_INVALID', 'no map, so its members cannot stand beside the others');
    this.answer = answer;
    this.value = value;
    return null;
  }

  // The end

  #late(): GatewayError {
    const { part } = this.options;
    const own = this.#deadlineMs < this.#context.deadlineMs;
    return own
      ? gatewayError('GW_UPSTREAM_TIMEOUT', `longer than ${part.timeoutMs} ms`)
      : gatewayError('GW_TIMEOUT', 'the time for the whole is over');
  }

  /** The call keeps to its deadline until the head; from there on it is for us to watch. */
  #limitTime(): void {
    const { x, wheel } = this.#context;
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#alarm = new Alarm(() => this.#refuse(this.#late()));
    wheel.arm(this.#alarm, Math.max(1, this.#deadlineMs - x.clock.nowMs()));
  }

  /** Ends the flight from our side. */
  #refuse(error: GatewayError): void {
    if (this.state === 'ended') return;
    this.#giveUp(error);
    this.#settle(error);
  }

  #giveUp(error: GatewayError): void {
    if (this.#flight === null) this.#givenUp = error;
    else this.#flight.cancel(error);
  }

  #settle(error: GatewayError | null): void {
    if (this.state === 'ended') return;
    this.#end(error);
    this.#context.owner.settled(this);
  }

  #end(error: GatewayError | null): void {
    this.tookMs = this.state === 'waiting' ? 0 : this.#context.x.clock.nowMs() - this.#startMs;
    this.state = 'ended';
    this.error = error;
    if (this.#alarm !== null) this.#context.wheel.disarm(this.#alarm);
    this.#text = '';
  }
}
