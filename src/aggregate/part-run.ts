/** One part of an aggregate on its way: when it began, what came of it, and how it ended; and the part that is one call. */
import { GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Wheel } from '../kernel/wheel.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Body } from '../wire/body.ts';
import type { ResponseHead } from '../wire/heads.ts';
import type { Answers } from './answers.ts';
import type { PartOptions } from './options.ts';
import { type CallOwner, PartCall } from './part-call.ts';
import { fillPart } from './part-request.ts';
import { shapedSteps } from './shape.ts';

/** Who started the part. */
export interface PartOwner {
  /** Once, unless it was dropped or passed. */
  settled(run: PartRun): void;
  /** The answer becomes the client's, as it is; its body has not been read. */
  passed(run: PartRun, head: ResponseHead, body: Body): void;
}

export interface PartContext {
  readonly x: LiveExchange;
  readonly owner: PartOwner;
  readonly wheel: Wheel;
  /** Monotonic end of the time for the whole. */
  readonly deadlineMs: number;
  /** All parts, by name. */
  readonly runs: ReadonlyMap<string, PartRun>;
}

/** What all parts have in common, whether they are one call or one for each element of a list. */
export abstract class PartRun implements CallOwner {
  readonly options: PartOptions;
  readonly x: LiveExchange;
  readonly wheel: Wheel;
  state: 'waiting' | 'running' | 'ended' = 'waiting';
  /** The failure that counts; of several calls some may have been answered all the same. */
  error: GatewayError | null = null;
  /** JSON that references look into, defaults included; '' before the end. */
  answer = '';
  /** JSON as it goes into the whole, defaults included. */
  value = '';
  tookMs = 0;
  deadlineMs = 0;
  leftBytes: number;
  /** Heads of the answers in it. */
  heads: ResponseHead[] = [];
  /** The head of the answer that failed it, where there was one. */
  failedHead: ResponseHead | null = null;
  protected readonly context: PartContext;
  #startMs = 0;

  constructor(options: PartOptions, context: PartContext) {
    this.options = options;
    this.context = context;
    this.x = context.x;
    this.wheel = context.wheel;
    this.leftBytes = options.part.limitBytes;
  }

  get code(): GatewayError['code'] | '-' {
    return this.error === null ? '-' : this.error.code;
  }

  /** What the log says of it beside its end and its time, as further parameters. */
  get remarks(): string {
    return '';
  }

  /** What clients are told of it beside the code of its failure, as further parameters. */
  get lack(): string {
    return '';
  }

  /** Where a place in its answer stands in what goes into the whole. */
  placeOf(steps: readonly string[]): readonly string[] {
    // A default stays as it is.
    const { rename } = this.options.part;
    return this.error === null ? shapedSteps(this.value, steps, rename) : steps;
  }

  /** Makes its calls; it may end before this returns. */
  start(answers: Answers): void {
    const { timeoutMs } = this.options.part;
    this.state = 'running';
    this.#startMs = this.x.clock.nowMs();
    this.deadlineMs = Math.min(
      this.context.deadlineMs,
      this.#startMs + (timeoutMs ?? Number.POSITIVE_INFINITY),
    );
    if (this.deadlineMs <= this.#startMs) {
      this.settle(this.late());
      return;
    }
    try {
      this.ask(answers);
    } catch (cause) {
      this.settle(errorOf(cause));
    }
  }

  /** Ends it from outside, without a word to its owner. */
  drop(why: GatewayError): void {
    if (this.state === 'ended') return;
    this.#end(why);
    this.giveUp(why);
  }

  late(): GatewayError {
    return this.deadlineMs < this.context.deadlineMs
      ? gatewayError('GW_UPSTREAM_TIMEOUT', `longer than ${this.options.part.timeoutMs} ms`)
      : gatewayError('GW_TIMEOUT', 'the time for the whole is over');
  }

  abstract settled(call: PartCall): void;

  passed(call: PartCall, body: Body): void {
    this.#end(null);
    this.context.owner.passed(this, call.answerHead!, body);
  }

  /** Begins its calls. What it throws fails the part. */
  protected abstract ask(answers: Answers): void;

  /** Drops the calls that are under way. */
  protected abstract giveUp(why: GatewayError): void;

  /** Ends it, once. */
  protected settle(error: GatewayError | null): void {
    if (this.state === 'ended') return;
    this.#end(error);
    this.context.owner.settled(this);
  }

  #end(error: GatewayError | null): void {
    this.tookMs = this.state === 'waiting' ? 0 : this.x.clock.nowMs() - this.#startMs;
    this.state = 'ended';
    this.error = error;
  }
}

/** A failure that was thrown: one of ours, or a fault of the gateway. */
export function errorOf(cause: unknown): GatewayError {
  return cause instanceof GatewayError ? cause : gatewayError('GW_INTERNAL', String(cause), cause);
}

/** A part that is one call. */
export class CallPart extends PartRun {
  #call: PartCall | null = null;

  settled(call: PartCall): void {
    if (call.error !== null) {
      this.failedHead = call.answerHead;
      this.settle(call.error);
      return;
    }
    this.heads = [call.answerHead!];
    this.answer = call.answer;
    this.value = call.value;
    this.settle(null);
  }

  protected ask(answers: Answers): void {
    this.#call = new PartCall(this, fillPart(this.x, this.options, answers));
    this.#call.start();
  }

  protected giveUp(why: GatewayError): void {
    this.#call?.drop(why);
  }

  protected override settle(error: GatewayError | null): void {
    if (error !== null) {
      this.answer = this.options.part.defaultJson;
      this.value = this.options.part.defaultJson;
    }
    super.settle(error);
  }
}
