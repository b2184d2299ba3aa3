/** A call for an answer: its attempts are sent, and the first head that counts is passed on. */
import type { GatewayError } from '../kernel/errors.ts';
import type { Slot } from '../upstream/slot.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Fields } from '../wire/fields.ts';
import type { ResponseHead } from '../wire/heads.ts';
import type { Call, Flight, Receiver } from '../wire/transport.ts';
import { AttemptRun, type CallParts } from './attempt.ts';
import type { RetryPolicy } from './retry.ts';

/** What a run of a call needs beside the call. */
export interface RunOptions {
  readonly upstream: Upstream;
  readonly parts: CallParts;
  readonly policy: RetryPolicy;
}

export class SendRun extends AttemptRun {
  readonly #to: Receiver;

  constructor(to: Receiver, call: Call, options: RunOptions) {
    super(options.upstream, call, options);
    this.#to = to;
  }

  override inform(status: number, fields: Fields): void {
    this.#to.inform(status, fields);
  }

  protected override dispatch(slot: Slot, call: Call): Flight {
    return slot.transport.send(call, this);
  }

  protected override pass(head: ResponseHead): void {
    this.#to.head(head, this);
  }

  protected override passFailure(error: GatewayError): void {
    this.#to.fail(error);
  }
}
