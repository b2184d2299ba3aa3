/** Answers a request from several upstreams: parts side by side as far as they can, one honest answer at the end. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';
import { answer } from '../proxy/answer.ts';
import { deadlineOf } from '../proxy/deadline.ts';
import { errorReply, pluginError } from '../proxy/problem.ts';
import type { Body } from '../wire/body.ts';
import type { ResponseHead } from '../wire/heads.ts';
import { PartAnswers } from './answers.ts';
import { EachPart } from './each-part.ts';
import type { AggregateOptions } from './options.ts';
import { failedReply, joinedReply, partsText, passedReply } from './outcome.ts';
import { CallPart, type PartOwner, type PartRun } from './part-run.ts';

class Aggregation implements PartOwner {
  readonly #x: LiveExchange;
  readonly #options: AggregateOptions;
  readonly #runs: readonly PartRun[];
  readonly #answers = new PartAnswers();
  readonly #sentMs: number;
  /** The answer is decided. */
  #over = false;
  /** Parts are being started: what ends meanwhile only asks for another round. */
  #starting = false;
  #again = false;

  constructor(x: LiveExchange, options: AggregateOptions) {
    this.#x = x;
    this.#options = options;
    this.#sentMs = x.clock.nowMs();
    const runs = new Map<string, PartRun>();
    const context = { x, owner: this, wheel: options.wheel, deadlineMs: deadlineOf(x, options), runs };
    for (const each of options.parts)
      runs.set(
        each.part.name,
        each.part.each === null ? new CallPart(each, context) : new EachPart(each, context),
      );
    this.#runs = [...runs.values()];
  }

  start(): void {
    const x = this.#x;
    if (x.left) return;
    const left = () => this.#left();
    x.down.left = left;
    this.#advance();
  }

  // PartOwner

  settled(run: PartRun): void {
    const { part } = run.options;
    this.#options.meter.partEnded(part.name, run.code);
    if (this.#over) return;
    if (run.error !== null && !part.optional) {
      this.#decide();
      this.#conclude(failedReply(this.#x, run, this.#runs));
      return;
    }
    this.#answers.add(part.name, run.answer);
    this.#advance();
  }

  passed(run: PartRun, head: ResponseHead, body: Body): void {
    this.#options.meter.partEnded(run.options.part.name, '-');
    this.#decide();
    this.#conclude(passedReply(this.#x, this.#options, { run, head, body, runs: this.#runs }));
  }

  /** Starts every part whose needs are met; answers when all are through. */
  #advance(): void {
    this.#again = true;
    if (this.#starting) return;
    this.#starting = true;
    while (this.#again && !this.#over) {
      this.#again = false;
      for (const run of this.#runs) if (!this.#over && this.#isReady(run)) run.start(this.#answers);
    }
    this.#starting = false;
    if (this.#over || this.#answers.size < this.#runs.length) return;
    this.#over = true;
    this.#conclude(joinedReply(this.#x, this.#options, this.#runs));
  }

  #isReady({ state, options }: PartRun): boolean {
    return state === 'waiting' && options.part.needs.every((name) => this.#answers.has(name));
  }

  /** Nothing that is still under way can change the answer any more. */
  #decide(): void {
    this.#over = true;
    this.#drop(gatewayError('GW_PART_DROPPED'));
  }

  #drop(why: GatewayError): void {
    for (const run of this.#runs) run.drop(why);
  }

  #conclude(reply: Reply): void {
    const x = this.#x;
    const { respond } = this.#options;
    x.headMs = x.clock.nowMs();
    x.upstreamMs = x.headMs - this.#sentMs;
    this.#note();
    if (respond === null) {
      this.#answer(reply);
      return;
    }
    let given: Reply | Promise<Reply>;
    try {
      given = respond(x, reply);
    } catch (cause) {
      this.#answer(errorReply(pluginError(cause)));
      return;
    }
    if (!(given instanceof Promise)) this.#answer(given);
    else
      given
        .then(
          (last) => this.#answer(last),
          (cause: unknown) => this.#answer(errorReply(pluginError(cause))),
        )
        .catch((cause: unknown) => this.#broken(cause));
  }

  #answer(reply: Reply): void {
    answer(this.#x, reply, this.#options);
  }

  /** Of several upstreams none is the one; the log has the parts instead. */
  #note(): void {
    this.#x.upstream = '';
    this.#x.parts = partsText(this.#runs);
  }

  #left(): void {
    const x = this.#x;
    if (x.left) return;
    const error = gatewayError('GW_CLIENT_LEFT');
    x.left = true;
    x.fail(error);
    this.#over = true;
    this.#drop(error);
    this.#note();
    x.abort();
  }

  /** A fault of ours: what was sent so far must not look whole. */
  #broken(cause: unknown): void {
    this.#x.fail(gatewayError('GW_INTERNAL', String(cause), cause));
    this.#x.down.abort();
  }
}

/**
 * Asks all parts and answers `x.down`. It takes over `down.left`; everything that ends badly is answered, and kept in
 * `x.error` and `x.parts`. Once per exchange, in place of `forward`.
 */
export function aggregate(x: LiveExchange, options: AggregateOptions): void {
  new Aggregation(x, options).start();
}
