/** A GET that is sent a second time, elsewhere, when the first is slow to be answered: the first answer wins. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm } from '../kernel/wheel.ts';
import type { Body } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import type { ResponseHead } from '../wire/heads.ts';
import type { Call, Flight, Receiver } from '../wire/transport.ts';
import { type RunOptions, SendRun } from './attempt-send.ts';
import { ONE_TRY, type RetryPolicy } from './retry.ts';

/** True for a call that may go to two endpoints at once: it changes nothing, and belongs to none of them. */
export function mayHedge({ head, body, stick }: Call, { hedgeAfterMs }: RetryPolicy): boolean {
  return hedgeAfterMs !== null && head.method === 'GET' && body === null && stick == null;
}

/** One of the two, with what it tells its owner. */
class Side implements Receiver {
  readonly run: SendRun;
  failed = false;
  readonly #owner: HedgedRun;

  constructor(owner: HedgedRun, call: Call, options: RunOptions) {
    this.#owner = owner;
    this.run = new SendRun(this, call, options);
  }

  inform(status: number, fields: Fields): void {
    this.#owner.informed(status, fields);
  }

  head(head: ResponseHead, body: Body): void {
    this.#owner.answered(this, head, body);
  }

  fail(error: GatewayError): void {
    this.#owner.failed(this, error);
  }
}

export class HedgedRun implements Flight {
  readonly #to: Receiver;
  readonly #call: Call;
  readonly #options: RunOptions;
  readonly #first: Side;
  readonly #alarm: Alarm;
  #second: Side | null = null;
  #firstError: GatewayError | null = null;
  #over = false;

  constructor(to: Receiver, call: Call, options: RunOptions) {
    this.#to = to;
    this.#call = call;
    this.#options = options;
    this.#first = new Side(this, call, options);
    this.#alarm = new Alarm(() => this.#hedge());
  }

  start(): void {
    const { parts, policy } = this.#options;
    parts.wheel.arm(this.#alarm, policy.hedgeAfterMs!);
    this.#first.run.start();
  }

  cancel(why: GatewayError): void {
    this.#end();
    this.#first.run.cancel(why);
    this.#second?.run.cancel(why);
  }

  // What the sides say

  /** Once two are under way it is open whose word counts. */
  informed(status: number, fields: Fields): void {
    if (this.#second === null) this.#to.inform(status, fields);
  }

  answered(side: Side, head: ResponseHead, body: Body): void {
    const { policy, upstream } = this.#options;
    const second = side === this.#second;
    if (second && !this.#first.failed && policy.permitsStatus(head.status, this.#call.head)) {
      // What would be tried again is no answer while a better one may come.
      side.failed = true;
      body.cancel(lost());
      return;
    }
    this.#end();
    if (second) upstream.hedges.won++;
    const other = second ? this.#first : this.#second;
    other?.run.cancel(lost());
    this.#to.head(head, body);
  }

  failed(side: Side, error: GatewayError): void {
    side.failed = true;
    if (side === this.#first) this.#firstError = error;
    const other = side === this.#first ? this.#second : this.#first;
    if (other !== null && !other.failed) return;
    this.#end();
    this.#to.fail(this.#firstError ?? error);
  }

  /** Nobody has answered for long enough: asks another endpoint too, if there is one and the budget allows. */
  #hedge(): void {
    const { slot } = this.#first.run;
    if (this.#over || slot === null) return;
    const second = new Side(this, this.#call, { ...this.#options, policy: ONE_TRY });
    this.#second = second;
    if (second.run.startBeside(slot)) this.#options.upstream.hedges.sent++;
    else this.#second = null;
  }

  #end(): void {
    this.#over = true;
    this.#options.parts.wheel.disarm(this.#alarm);
  }
}

const lost = () => gatewayError('GW_HEDGE_LOST');
