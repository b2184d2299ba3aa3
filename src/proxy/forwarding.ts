/** One request on its way to an upstream and back: receiver, observer and keeper of its end. */
import { GatewayError, gatewayError } from '../kernel/errors.ts';
import { Attempt, type LiveExchange } from '../pipeline/exchange.ts';
import type { EndpointInfo, Reply } from '../plugin.ts';
import type { Body, Stage } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import type { RequestHead, ResponseHead } from '../wire/heads.ts';
import type { Call, CallObserver, Flight, Receiver, Timeouts } from '../wire/transport.ts';
import type { TunnelReceiver } from '../wire/tunnel.ts';
import { type Answering, type AnswerOwner, beginAnswer } from './answer.ts';
import { deadlineOf } from './deadline.ts';
import type { ForwardOptions } from './forward-options.ts';
import { dropHopByHop } from './hop-by-hop.ts';
import { type Join, Joined } from './joined.ts';
import { LimitSink, limitBody, tooLarge } from './limit-body.ts';
import type { Copy } from './mirror.ts';
import { errorReply, pluginError } from './problem.ts';
import { endpointHost } from './request-head.ts';
import { guardedStage } from './stages.ts';
import { TeeBody } from './tee-body.ts';

/** What is sent; apart from the receiver, since both have a `head`. */
class Outgoing implements Call {
  readonly head: RequestHead;
  readonly body: Body | null;
  readonly deadlineMs: number;
  readonly timeouts: Timeouts;
  readonly hash: number;
  readonly stick: string | null;
  readonly observer: CallObserver;

  constructor(x: LiveExchange, body: Body | null, by: Forwarding) {
    const o = by.options;
    this.head = x.request;
    this.body = body;
    this.deadlineMs = deadlineOf(x, o);
    this.timeouts = x.down.upgrade ? (o.tunnelTimeouts ?? o.timeouts) : o.timeouts;
    this.hash = o.hash === null ? 0 : o.hash(x);
    this.stick = o.sticky?.read(x) ?? null;
    this.observer = by;
  }
}

export class Forwarding implements Receiver, TunnelReceiver, CallObserver, AnswerOwner {
  readonly options: ForwardOptions;
  readonly changesHead: boolean;
  readonly #x: LiveExchange;
  #flight: Flight | null = null;
  /** Why the flight must end, said before there was one. */
  #givenUp: GatewayError | null = null;
  #answering: Answering | null = null;
  #join: Join | null = null;
  #copy: Copy | null = null;
  #sentMs = 0;
  /** Nothing more is taken from the upstream as an answer. */
  #settled = false;
  #done = false;

  constructor(x: LiveExchange, options: ForwardOptions) {
    this.#x = x;
    this.options = options;
    this.changesHead = options.attempt !== null || options.hostHeader === 'upstream';
  }

  start(): void {
    const x = this.#x;
    if (x.left) {
      this.#finish();
      return;
    }
    const left = () => this.#left();
    x.down.left = left;
    x.upstream = this.options.upstreamName;
    let call: Outgoing;
    try {
      call = new Outgoing(x, x.down.upgrade ? null : this.#copied(this.#requestBody()), this);
    } catch (cause) {
      this.fail(cause instanceof GatewayError ? cause : gatewayError('GW_INTERNAL', String(cause), cause));
      return;
    }
    this.#sentMs = x.clock.nowMs();
    const { call: upstream } = this.options;
    this.#flight = x.down.upgrade ? upstream.connect(call, this) : upstream.send(call, this);
    if (this.#givenUp !== null) this.#flight.cancel(this.#givenUp);
    if (call.body === null) this.#copy?.send(null);
  }

  /** Where the request is drawn for the mirror, its body is copied as it flows. */
  #copied(body: Body | null): Body | null {
    const { mirror } = this.options;
    if (mirror == null) return body;
    this.#copy = mirror.copy(this.#x, body);
    return this.#copy === null || body === null ? body : new TeeBody(body, this.#copy);
  }

  /** What flows upstream, held to the limit. */
  #requestBody(): Body | null {
    const x = this.#x;
    const limitBytes = this.options.bodyLimitBytes;
    const source = x.down.body;
    if (source === null) return null;
    if (source.length !== null && source.length > limitBytes) throw tooLarge(limitBytes);
    if (x.requestStages === null) return limitBody(x.takeBody()!, limitBytes);
    // The limit is on what the client sends, so it comes before what stages make of it.
    const limit: Stage = (next) => new LimitSink(source, next, limitBytes);
    x.requestStages = [guardedStage([limit, ...x.requestStages], source)];
    return x.takeBody();
  }

  // Observer

  attempt(head: RequestHead, to: EndpointInfo): Attempt {
    const { options } = this;
    const attempt = this.#x.addAttempt(to.upstream, to.endpoint);
    if (options.hostHeader === 'upstream') head.authority = endpointHost(to.endpoint);
    if (options.attempt === null) return attempt;
    try {
      options.attempt(this.#x, head, to);
    } catch (cause) {
      // `send` may not have given its flight yet, so this try could not be stopped in time; but no transport
      // writes a byte of a head that has no path.
      head.path = '';
      this.#refuse(pluginError(cause));
    }
    return attempt;
  }

  attempted(status: number, error: GatewayError | null, mark?: unknown): void {
    const attempt = mark instanceof Attempt ? mark : undefined;
    this.#x.settleAttempt(status, error === null ? '-' : error.code, attempt);
  }

  // Receiver

  inform(status: number, fields: Fields): void {
    // 100 answers our own Expect, and 101 is none of the interim ones.
    if (this.#settled || status <= 101 || status > 199) return;
    dropHopByHop(fields);
    this.#x.down.inform(status, fields);
  }

  head(head: ResponseHead, body: Body): void {
    if (this.#settled) {
      body.cancel(this.#x.error ?? gatewayError('GW_INTERNAL', 'an answer after the end'));
      return;
    }
    if (head.status < 200) {
      const error = gatewayError('GW_UPSTREAM_PROTOCOL', `status ${head.status} as a final answer`);
      body.cancel(error);
      this.fail(error);
      return;
    }
    this.#headCame();
    dropHopByHop(head.fields);
    this.options.sticky?.mark(this.#x, head);
    this.#conclude({ status: head.status, fields: head.fields, body, by: 'upstream', error: null }, body);
  }

  fail(error: GatewayError): void {
    if (this.#settled) return;
    if (error.code === 'GW_CLIENT_LEFT') {
      this.#left();
      return;
    }
    const x = this.#x;
    this.#settled = true;
    x.fail(error);
    this.#stopWaiting();
    this.#conclude(errorReply(error), null);
  }

  // TunnelReceiver

  open(head: ResponseHead, join: Join): void {
    if (this.#settled) return;
    this.#headCame();
    this.#join = join;
    dropHopByHop(head.fields);
    this.options.sticky?.mark(this.#x, head);
    this.#conclude({ status: 101, fields: head.fields, body: null, by: 'upstream', error: null }, null);
  }

  refuse(head: ResponseHead, body: Body): void {
    this.head(head, body);
  }

  // AnswerOwner

  answered(): void {
    this.#finish();
  }

  #headCame(): void {
    const x = this.#x;
    this.#settled = true;
    x.headMs = x.clock.nowMs();
    x.upstreamMs = x.headMs - this.#sentMs;
  }

  /** Books the time for which the upstream, where one was asked, was waited for in vain. */
  #stopWaiting(): void {
    const x = this.#x;
    if (this.#flight !== null || x.attempts.length > 0) x.upstreamMs = x.clock.nowMs() - this.#sentMs;
  }

  /** Ends the flight from our side and answers the error. */
  #refuse(error: GatewayError): void {
    if (this.#settled) return;
    this.#giveUp(error);
    this.#x.settleAttempt(0, error.code);
    this.fail(error);
  }

  #giveUp(error: GatewayError): void {
    if (this.#flight === null) this.#givenUp = error;
    else this.#flight.cancel(error);
  }

  /** Runs the response hooks and answers. `body` is the upstream's own, to be freed when another takes its place. */
  #conclude(reply: Reply, body: Body | null): void {
    const { respond } = this.options;
    if (respond === null) {
      this.#write(reply, body);
      return;
    }
    let given: ReturnType<typeof respond>;
    try {
      given = respond(this.#x, reply);
    } catch (cause) {
      this.#hookFailed(cause, body);
      return;
    }
    if (given instanceof Promise) {
      given
        .then(
          (other) => this.#write(other ?? reply, body),
          (cause: unknown) => this.#hookFailed(cause, body),
        )
        .catch((cause: unknown) => this.#broken(cause));
    } else this.#write(given ?? reply, body);
  }

  #hookFailed(cause: unknown, body: Body | null): void {
    this.#write(errorReply(pluginError(cause)), body);
  }

  #write(reply: Reply, body: Body | null): void {
    const x = this.#x;
    if (x.left) {
      body?.cancel(gatewayError('GW_CLIENT_LEFT'));
      return;
    }
    if (this.#join !== null) {
      if (reply.status === 101 && reply.by === 'upstream') {
        new Joined(x, this.options, this).start(reply, this.#join, this.#flight);
        return;
      }
      this.#giveUp(reply.error ?? gatewayError('GW_PLUGIN', 'a plugin refused the upgrade'));
    }
    if (body !== null && reply.body !== body) {
      body.cancel(reply.error ?? gatewayError('GW_PLUGIN', 'a plugin answered instead'));
      delete reply.fields['content-length'];
    }
    const answering = beginAnswer(x, reply, this.options);
    if (answering === null) {
      this.#finish();
      return;
    }
    this.#answering = answering;
    answering.owner = this;
    answering.start();
  }

  /** A fault of ours: what was sent so far must not look whole. */
  #broken(cause: unknown): void {
    const error = gatewayError('GW_INTERNAL', String(cause), cause);
    this.#x.fail(error);
    this.#giveUp(error);
    this.#x.down.abort();
    this.#finish();
  }

  #left(): void {
    const x = this.#x;
    if (x.left || this.#done) return;
    const error = gatewayError('GW_CLIENT_LEFT');
    x.left = true;
    x.fail(error);
    x.settleAttempt(0, error.code);
    if (!this.#settled) this.#stopWaiting();
    this.#settled = true;
    this.#giveUp(error);
    this.#answering?.leave(error);
    x.abort();
    this.#finish();
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#copy?.drop();
    this.options.done?.(this.#x);
  }
}
