/** One call of a part: its request, its answer as checked JSON, and how it ended. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm, type Wheel } from '../kernel/wheel.ts';
import { replayBody } from '../pipeline/bodies.ts';
import { Attempt, type LiveExchange } from '../pipeline/exchange.ts';
import { PartExchange } from '../pipeline/part-exchange.ts';
import { runLog } from '../pipeline/run.ts';
import type { EndpointInfo } from '../plugin.ts';
import { pluginError } from '../proxy/problem.ts';
import { endpointHost } from '../proxy/request-head.ts';
import type { Body, Sink } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import type { RequestHead, ResponseHead } from '../wire/heads.ts';
import type { Call, CallObserver, Flight, Receiver } from '../wire/transport.ts';
import { answerProblem } from './accept.ts';
import { sendHooked } from './hooked-call.ts';
import { jsonProblem, membersOf, valueAt } from './json.ts';
import type { PartOptions, UpstreamHooks } from './options.ts';
import { type Filled, partHead } from './part-request.ts';

/** Deeper or wider answers are no data but an attack, or a mistake. */
const BOUNDS = { depth: 64, keys: 50_000 };
/** Past this a new connection is cheaper than reading an unwanted answer away. */
const MOST_UNWANTED_BYTES = 16_384;

const encoder = new TextEncoder();

/** The part that a call is made for. */
export interface CallOwner {
  readonly options: PartOptions;
  readonly x: LiveExchange;
  readonly wheel: Wheel;
  /** Monotonic end of its time. */
  readonly deadlineMs: number;
  /** Bytes of answers that it may still hold; whoever takes some of them and fails gives them back. */
  leftBytes: number;
  /** What is told when its time is over. */
  late(): GatewayError;
  /** Once, unless the call was dropped or passed. */
  settled(call: PartCall): void;
  /** The answer becomes the client's, as it is; its body has not been read. */
  passed(call: PartCall, body: Body): void;
}

/** Receives the call's answer, reads it, and keeps what came of it for whoever joins the parts. */
export class PartCall implements Receiver, Sink, CallObserver {
  readonly changesHead: boolean;
  readonly #owner: CallOwner;
  readonly #filled: Filled;
  ready: (() => void) | null = null;
  state: 'waiting' | 'running' | 'ended' = 'waiting';
  error: GatewayError | null = null;
  /** JSON after `at`: what references look into; '' before a good end. */
  answer = '';
  /** JSON as it goes into the whole. */
  value = '';
  answerHead: ResponseHead | null = null;
  /** What the plugins of the upstream see; null where it has none. */
  #own: PartExchange | null = null;
  #flight: Flight | null = null;
  /** Why the flight must end, said before there was one. */
  #givenUp: GatewayError | null = null;
  #alarm: Alarm | null = null;
  /** Made with the first bytes. */
  #decoder: TextDecoder | null = null;
  #text = '';
  #sizeBytes = 0;

  constructor(owner: CallOwner, filled: Filled) {
    this.#owner = owner;
    this.#filled = filled;
    const { attempt, hostHeader } = owner.options;
    this.changesHead = attempt !== null || hostHeader === 'upstream';
  }

  /** Sends it; it may end before this returns. */
  start(): void {
    const { x, options, deadlineMs } = this.#owner;
    this.state = 'running';
    if (deadlineMs <= x.clock.nowMs()) {
      this.#settle(this.#owner.late());
      return;
    }
    const call = this.#outgoing();
    this.#flight =
      options.hooks === null ? options.call.send(call, this) : this.#throughHooks(call, options.hooks);
    if (this.#givenUp !== null) this.#flight.cancel(this.#givenUp);
  }

  /** Ends it from outside, without a word to its owner. */
  drop(why: GatewayError): void {
    if (this.state === 'ended') return;
    this.#end(why);
    this.#giveUp(why);
  }

  #throughHooks(call: Call, { chain, upstreamName }: UpstreamHooks): Flight {
    const { x, options } = this.#owner;
    // Hooks may take their time, before the call and after its head.
    this.#limitTime();
    this.#own = new PartExchange(x, {
      request: call.head,
      body: encoder.encode(this.#filled.body ?? ''),
      upstream: upstreamName,
      slotCount: chain.slotCount,
    });
    return sendHooked({ x: this.#own, chain, upstream: options.call }, call, this);
  }

  #outgoing(): Call {
    const { x, options, deadlineMs } = this.#owner;
    const { timeouts, hash } = options;
    const { body } = this.#filled;
    return {
      head: partHead(x, options, this.#filled),
      body: body === null ? null : replayBody(encoder.encode(body)),
      deadlineMs,
      timeouts,
      hash: hash === null ? 0 : hash(x),
      observer: this,
    };
  }

  // Observer

  attempt(head: RequestHead, to: EndpointInfo): Attempt {
    const { x, options } = this.#owner;
    const { hostHeader, attempt: hooks } = options;
    const attempt = x.addAttempt(to.upstream, to.endpoint);
    this.#own?.attempts.push(attempt);
    if (hostHeader === 'upstream') head.authority = endpointHost(to.endpoint);
    if (hooks === null) return attempt;
    try {
      hooks(x, this.#own, { head, to });
    } catch (cause) {
      // `send` may not have given its flight yet; but no transport writes a byte of a head that has no path.
      head.path = '';
      this.#refuse(pluginError(cause));
    }
    return attempt;
  }

  attempted(status: number, error: GatewayError | null, mark?: unknown): void {
    // Attempts of other calls are under way too: the last one need not be ours.
    if (mark instanceof Attempt) this.#owner.x.settleAttempt(status, error === null ? '-' : error.code, mark);
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
    const { part } = this.#owner.options;
    if (part.passStatus.includes(head.status)) {
      this.#end(null);
      this.#owner.passed(this, body);
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
    this.#settle(late ? this.#owner.late() : error);
  }

  // Sink

  write(chunk: Uint8Array): boolean {
    this.#sizeBytes += chunk.byteLength;
    if (this.state === 'ended') {
      // Nobody wants it: read away for the sake of the connection, as far as that pays.
      if (this.#sizeBytes > MOST_UNWANTED_BYTES) this.#giveUp(this.error!);
      return true;
    }
    this.#owner.leftBytes -= chunk.byteLength;
    if (this.#owner.leftBytes < 0) {
      this.#refuse(
        gatewayError('GW_PART_TOO_LARGE', `more than ${this.#owner.options.part.limitBytes} bytes`),
      );
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
    const { part, shape } = this.#owner.options;
    if (this.#sizeBytes === 0) return gatewayError('GW_PART_TYPE', 'an empty body');
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

  /** The call keeps to its deadline until the head; from there on it is for us to watch. */
  #limitTime(): void {
    const { x, wheel, deadlineMs } = this.#owner;
    if (deadlineMs === Number.POSITIVE_INFINITY || this.#alarm !== null) return;
    this.#alarm = new Alarm(() => this.#refuse(this.#owner.late()));
    wheel.arm(this.#alarm, Math.max(1, deadlineMs - x.clock.nowMs()));
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
    this.#owner.settled(this);
  }

  #end(error: GatewayError | null): void {
    this.state = 'ended';
    this.error = error;
    if (error !== null) this.#owner.leftBytes += this.#sizeBytes;
    if (this.#alarm !== null) this.#owner.wheel.disarm(this.#alarm);
    this.#text = '';
    if (this.#own === null) return;
    this.#own.ended = true;
    runLog(this.#owner.options.hooks!.chain, this.#own);
  }
}
