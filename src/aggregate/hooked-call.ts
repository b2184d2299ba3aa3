/** Leads one call of a part through the plugins of its upstream: `request` before it, `response` on whatever answers it. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { replayBody, stagedBody } from '../pipeline/bodies.ts';
import type { Chain } from '../pipeline/chain.ts';
import type { PartExchange } from '../pipeline/part-exchange.ts';
import { runRequest, runResponse } from '../pipeline/run.ts';
import type { Reply } from '../plugin.ts';
import { ownReply } from '../proxy/answer.ts';
import { errorReply } from '../proxy/problem.ts';
import { guardedStage } from '../proxy/stages.ts';
import type { Body, Stage } from '../wire/body.ts';
import type { ResponseHead } from '../wire/heads.ts';
import type { Call, Flight, Receiver, Transport } from '../wire/transport.ts';

interface Hooked {
  /** What the plugins see; its request is the head of the call. */
  readonly x: PartExchange;
  /** Those of the upstream alone: the route's see the whole. */
  readonly chain: Chain;
  readonly upstream: Transport;
}

const throughStages = (body: Body, stages: readonly Stage[] | null): Body =>
  stages === null ? body : stagedBody(body, [guardedStage(stages, body)]);

const isFlow = (body: Reply['body']): body is Body => body !== null && !(body instanceof Uint8Array);

const flowOf = (body: Reply['body']): Body => (isFlow(body) ? body : replayBody(body ?? new Uint8Array(0)));

class HookedFlight implements Flight, Receiver {
  readonly #by: Hooked;
  readonly #call: Call;
  readonly #to: Receiver;
  #flight: Flight | null = null;
  /** Of the answer that was handed on. */
  #body: Body | null = null;
  /** Why nothing more is wanted. */
  #cancelled: GatewayError | null = null;

  constructor(by: Hooked, call: Call, to: Receiver) {
    this.#by = by;
    this.#call = call;
    this.#to = to;
  }

  start(): void {
    const { chain, x } = this.#by;
    const verdict = runRequest(chain, x);
    if (verdict instanceof Promise) this.#await(verdict, (instead) => this.#send(instead));
    else this.#send(verdict);
  }

  cancel(why: GatewayError): void {
    if (this.#cancelled !== null) return;
    this.#cancelled = why;
    this.#flight?.cancel(why);
    this.#body?.cancel(why);
  }

  // Receiver

  inform(): void {
    // Interim answers are of one call; the client's is another.
  }

  head({ status, fields }: ResponseHead, body: Body): void {
    this.#respond({ status, fields, body, by: 'upstream', error: null });
  }

  fail(error: GatewayError): void {
    this.#respond(errorReply(error));
  }

  #send(instead: Reply | undefined): void {
    if (this.#cancelled !== null) {
      if (instead !== undefined) this.#discard(instead, this.#cancelled);
      return;
    }
    if (instead !== undefined) {
      this.#respond(instead);
      return;
    }
    const { body } = this.#call;
    const { x, upstream } = this.#by;
    this.#flight = upstream.send(
      {
        ...this.#call,
        body: body && throughStages(body, x.requestStages),
        deadlineMs: Math.min(this.#call.deadlineMs, x.deadlineMs),
      },
      this,
    );
    if (this.#cancelled !== null) this.#flight.cancel(this.#cancelled);
  }

  #respond(reply: Reply): void {
    const { chain, x } = this.#by;
    const given = runResponse(chain, x, reply);
    if (given instanceof Promise) this.#await(given, (last) => this.#answer(last));
    else this.#answer(given);
  }

  #answer(reply: Reply): void {
    if (this.#cancelled !== null) {
      this.#discard(reply, this.#cancelled);
      return;
    }
    if (reply.error !== null) {
      this.#discard(reply, reply.error);
      this.#to.fail(reply.error);
      return;
    }
    const { status, fields, body } = reply.by === 'plugin' ? ownReply(reply) : reply;
    this.#body = throughStages(flowOf(body), this.#by.x.responseStages);
    this.#to.head({ status, fields }, this.#body);
  }

  #discard({ body }: Reply, why: GatewayError): void {
    if (isFlow(body)) body.cancel(why);
  }

  #await<T>(work: Promise<T>, next: (value: T) => void): void {
    work.then(next).catch((cause: unknown) => {
      // Hooks never reject here: this is a fault of ours.
      const error = gatewayError('GW_INTERNAL', String(cause), cause);
      this.cancel(error);
      this.#to.fail(error);
    });
  }
}

/** Sends a call as `upstream.send` does, through the hooks. */
export function sendHooked(by: Hooked, call: Call, to: Receiver): Flight {
  const flight = new HookedFlight(by, call, to);
  flight.start();
  return flight;
}
