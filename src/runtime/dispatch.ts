/** A request's way: trace ID, route, plugins, upstream, answer, and the books at its end. */
import type { Clock } from '../kernel/clock.ts';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { Wheel } from '../kernel/wheel.ts';
import { withoutTrailers } from '../pipeline/bodies.ts';
import { LiveExchange } from '../pipeline/exchange.ts';
import { LEFT, runBefore, runLog, runRequest, runResponse } from '../pipeline/run.ts';
import type { Reply } from '../plugin.ts';
import { type AnswerOptions, answer } from '../proxy/answer.ts';
import type { TimeLimits } from '../proxy/deadline.ts';
import { errorReply } from '../proxy/problem.ts';
import { prepareRequest } from '../proxy/request-head.ts';
import { detectLoop } from '../proxy/via.ts';
import type { Match, Params } from '../router/router.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Closing, Downstream } from '../wire/downstream.ts';
import { type Ending, ExchangeOutcome } from './exchange-outcome.ts';
import { inTime } from './in-time.ts';
import type { Refusal } from './listeners.ts';
import type { LiveRoute } from './live-route.ts';
import type { LiveTarget } from './live-target.ts';
import type { Shedder } from './shedder.ts';
import type { Snapshot } from './snapshot.ts';

export interface DispatchParts {
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly viaName: string;
  readonly metrics: Metrics;
  readonly accessLog: AccessLog;
  readonly log: Logger;
  readonly shedder: Shedder;
}

const NO_PARAMS: Params = Object.freeze(Object.create(null) as Record<string, string>);
/** What finds no route has no time of its own. */
const UNLIMITED: TimeLimits = { timeoutMs: 0, maxDurationMs: null };

export class Dispatcher {
  /** Replaced by one assignment; a request keeps the one that it started with. */
  snapshot: Snapshot;
  readonly #parts: DispatchParts;
  readonly #answering: AnswerOptions;
  readonly #outcome = new ExchangeOutcome();

  constructor(snapshot: Snapshot, parts: DispatchParts) {
    this.snapshot = snapshot;
    this.#parts = parts;
    this.#answering = { viaName: parts.viaName, maxDurationMs: null, wheel: parts.wheel };
  }

  /** Takes one request. */
  serve(down: Downstream): void {
    const snapshot = this.snapshot;
    const match = snapshot.router.match(down.head);
    const route = match.kind === 'found' ? snapshot.routes[match.index]! : snapshot.fallback;
    const x = this.#begin(down, route, match);
    const error = this.#faultOf(x, match, route);
    if (this.#parts.shedder.refuses(route.priority)) this.#reply(x, shedReply());
    else if (error === null) this.#guard(x, route);
    // Plugins of global scope see what finds no route, so that scans meet the same limits as the rest.
    else if (error.code === 'GW_NO_ROUTE') this.#guard(x, null);
    else this.#reply(x, replyFor(error, match));
  }

  /** Keeps the books of a request that a listener refused, and gives it a trace ID; empty where none can be made. */
  refused(error: GatewayError, peer: Downstream['peer'], { listener, traceId }: Refusal): string {
    const { metrics, accessLog, clock } = this.#parts;
    const { config, tracing } = this.snapshot;
    metrics.listener(listener).refuse(error.code);
    const id = traceId === '' ? tracing.newId() : traceId;
    if (config.log.access)
      accessLog.write(this.#outcome.readRefused(error, peer, { id: id ?? '0', startWallMs: clock.wallMs() }));
    return id ?? '';
  }

  #begin(down: Downstream, route: LiveRoute, match: Match): LiveExchange {
    const { trust, tracing, reserved } = this.snapshot;
    const { clock } = this.#parts;
    const { head } = down;
    if (reserved !== null) for (const name of reserved) delete head.fields[name];
    const client = trust.client(down.peer, head);
    if (match.kind !== 'bad-path') head.path = match.path;
    const id = tracing.idFor(head, client.trusted);
    down.traceId = id ?? '';
    const x = new LiveExchange({
      id: id ?? '0',
      down,
      client,
      route: route.info,
      params: match.kind === 'found' ? match.params : NO_PARAMS,
      received: head,
      startMs: clock.nowMs(),
      startWallMs: clock.wallMs(),
      chain: route.chain,
      slotCount: route.slotCount,
      clock,
    });
    // Only a body of unknown length can bring trailers, which some servers read as headers.
    if (reserved !== null && down.body?.length === null) x.mapRequest(withoutTrailers(reserved));
    if (id === null) x.fail(gatewayError('GW_NOT_READY', 'the clock went backwards too far'));
    else x.traceparent = tracing.traceparentFor(head, client.trusted, id);
    route.enter();
    const settle = (how: Closing, inBytes: number, outBytes: number) =>
      this.#settle(x, route, { how, inBytes, outBytes });
    down.closed = settle;
    return x;
  }

  #faultOf(x: LiveExchange, match: Match, { upgrades }: LiveRoute): GatewayError | null {
    if (x.error !== null) return x.error;
    if (match.kind === 'bad-path') return gatewayError('GW_BAD_PATH');
    if (detectLoop(x.received.fields, this.#parts.viaName)) return gatewayError('GW_LOOP');
    if (match.kind === 'method') return gatewayError('GW_METHOD_NOT_ALLOWED');
    if (match.kind === 'not-found') return gatewayError('GW_NO_ROUTE');
    return upgrades === null || upgrades(x) ? null : gatewayError('GW_ORIGIN_REFUSED', 'a WebSocket');
  }

  /** The hooks that may refuse; then on to the route's upstream, where there is a route. */
  #guard(x: LiveExchange, route: LiveRoute | null): void {
    const verdict = runBefore(x.chain, x);
    if (verdict instanceof Promise)
      this.#await(x, this.#inTime(x, verdict, route), (reply) => this.#admit(x, route, reply));
    else this.#admit(x, route, verdict);
  }

  #admit(x: LiveExchange, route: LiveRoute | null, refusal: Reply | undefined): void {
    if (refusal !== undefined) this.#reply(x, refusal);
    else if (route === null) this.#reply(x, errorReply(gatewayError('GW_NO_ROUTE')));
    else if (route.fault === null || !route.fault.hits(x)) this.#choose(x, route);
    else route.fault.strike(x, (instead) => this.#afterFault(x, route, instead));
  }

  #afterFault(x: LiveExchange, route: LiveRoute, instead: Reply | null): void {
    if (instead === null) this.#choose(x, route);
    else this.#reply(x, instead);
  }

  #choose(x: LiveExchange, route: LiveRoute): void {
    const { split, rewrite } = route;
    if (rewrite !== null) {
      const path = rewrite(x.request.path, x.params);
      if (path === null) {
        this.#reply(x, errorReply(gatewayError('GW_BAD_PATH', 'a parameter that the path is made from')));
        return;
      }
      x.request.path = path;
    }
    const target = split === null ? null : split.of(x);
    if (target !== null) {
      x.chain = target.chain;
      x.upstream = target.upstreamName;
      prepareRequest(x, target.head);
    }
    const verdict = runRequest(x.chain, x);
    if (verdict instanceof Promise)
      this.#await(x, this.#inTime(x, verdict, route), (reply) => this.#send(x, target, reply));
    else this.#send(x, target, verdict);
  }

  #send(x: LiveExchange, target: LiveTarget | null, instead: Reply | undefined): void {
    if (instead !== undefined) this.#reply(x, instead);
    else if (target !== null) target.send(x);
    else this.#reply(x, errorReply(gatewayError('GW_NO_ENDPOINT', 'the route has no upstream')));
  }

  /** Answers without the upstream, past the response hooks. */
  #reply(x: LiveExchange, reply: Reply): void {
    const last = reply === LEFT ? reply : runResponse(x.chain, x, reply);
    if (last instanceof Promise) this.#await(x, last, (changed) => this.#answer(x, changed));
    else this.#answer(x, last);
  }

  #answer(x: LiveExchange, reply: Reply): void {
    if (reply !== LEFT) answer(x, reply, this.#answering);
  }

  #inTime(x: LiveExchange, work: Promise<Reply | undefined>, route: LiveRoute | null) {
    const limits = route?.plan.config ?? UNLIMITED;
    return inTime(x, work, { limits, wheel: this.#parts.wheel });
  }

  /** Goes on once hooks are through; until then nobody else notices that the client leaves. */
  #await<T>(x: LiveExchange, work: Promise<T>, next: (value: T) => void): void {
    const left = () => {
      x.left = true;
      x.fail(gatewayError('GW_CLIENT_LEFT'));
      x.abort();
    };
    x.down.left = left;
    work.then(next).catch((cause: unknown) => {
      // Hooks never reject here: this is a fault of ours, and what was sent so far must not look whole.
      x.fail(gatewayError('GW_INTERNAL', String(cause), cause));
      x.down.abort();
    });
  }

  #settle(x: LiveExchange, route: LiveRoute, ending: Ending): void {
    const { metrics, accessLog, log } = this.#parts;
    const outcome = this.#outcome.read(x, ending);
    route.meter.end(outcome);
    for (const attempt of x.attempts) {
      // The series of an upstream that is gone must not come back.
      if (this.snapshot.upstreams.has(attempt.upstream))
        metrics.upstream(attempt.upstream).endpoint(attempt.endpoint).count(attempt.status, attempt.code);
    }
    if (this.snapshot.config.log.access) accessLog.write(outcome);
    if (x.error?.code === 'GW_INTERNAL')
      log.error('the gateway failed', { traceId: x.id, error: x.error.cause ?? x.error });
    if (x.chain.log !== null) runLog(x.chain, x);
    route.leave();
  }
}

const shedReply = (): Reply => {
  const reply = errorReply(gatewayError('GW_SHED'));
  reply.fields['retry-after'] = '1';
  return reply;
};

const replyFor = (error: GatewayError, match: Match): Reply => {
  const reply = errorReply(error);
  if (match.kind === 'method') reply.fields.allow = match.allow.join(', ');
  return reply;
};
