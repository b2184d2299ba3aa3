/** Sends a call to another upstream when the first one has nobody for it. */
import type { Clock } from '../kernel/clock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Body } from '../wire/body.ts';
import type { Fields } from '../wire/fields.ts';
import type { ResponseHead } from '../wire/heads.ts';
import type { Call, Flight, Receiver } from '../wire/transport.ts';
import type { TunnelReceiver } from '../wire/tunnel.ts';
import type { UpstreamTransport } from './call.ts';
import { ReplayBody } from './replay-body.ts';

export interface FailoverParts {
  readonly clock: Clock;
  readonly first: UpstreamTransport;
  readonly next: UpstreamTransport;
  /** Told of each call that goes to `next`. */
  readonly moved: () => void;
}

/** Nobody of the upstream has had the request: there was none to ask, or none could be reached. */
const hadNobody = ({ code, retry }: GatewayError): boolean =>
  code === 'GW_NO_ENDPOINT' || code === 'GW_BREAKER_OPEN' || retry === 'unsent';

/** One call that may move on, once and before its head. */
abstract class Run implements Flight {
  protected readonly parts: FailoverParts;
  readonly #call: Call;
  /** Keeps what the first upstream may have read of the body. */
  readonly #replay: ReplayBody | null;
  #flight: Flight | null = null;
  #moved = false;

  constructor(parts: FailoverParts, call: Call) {
    this.parts = parts;
    this.#call = call;
    this.#replay = call.body === null ? null : new ReplayBody(call.body, parts.clock);
  }

  protected abstract send(call: Call, way: UpstreamTransport): Flight;
  protected abstract passFailure(error: GatewayError): void;

  start(): this {
    const flight = this.send(this.#ownCall(), this.parts.first);
    // It may have failed, and the next be on its way, before `send` returned.
    if (!this.#moved) this.#flight = flight;
    return this;
  }

  /** The caller gets its answer. */
  protected settled(): void {
    this.#replay?.release();
  }

  fail(error: GatewayError): void {
    if (!this.#moved && hadNobody(error) && this.#canMove()) {
      this.#moved = true;
      this.parts.moved();
      this.#flight = this.send(this.#ownCall(), this.parts.next);
      return;
    }
    this.#replay?.close(error);
    this.passFailure(error);
  }

  cancel(why: GatewayError): void {
    this.#flight?.cancel(why);
    this.#replay?.close(why);
  }

  #canMove(): boolean {
    if (this.#replay !== null && !this.#replay.replayable) return false;
    return this.parts.next.usable() && this.parts.clock.nowMs() < this.#call.deadlineMs;
  }

  #ownCall(): Call {
    const call = this.#call;
    return this.#replay === null ? call : { ...call, body: this.#replay.next() };
  }
}

class SendRun extends Run implements Receiver {
  readonly #to: Receiver;

  constructor(parts: FailoverParts, call: Call, to: Receiver) {
    super(parts, call);
    this.#to = to;
  }

  inform(status: number, fields: Fields): void {
    this.#to.inform(status, fields);
  }

  head(head: ResponseHead, body: Body): void {
    this.settled();
    this.#to.head(head, body);
  }

  protected override send(call: Call, way: UpstreamTransport): Flight {
    return way.send(call, this);
  }

  protected override passFailure(error: GatewayError): void {
    this.#to.fail(error);
  }
}

class ConnectRun extends Run implements TunnelReceiver {
  readonly #to: TunnelReceiver;

  constructor(parts: FailoverParts, call: Call, to: TunnelReceiver) {
    super(parts, call);
    this.#to = to;
  }

  open(...opened: Parameters<TunnelReceiver['open']>): void {
    this.#to.open(...opened);
  }

  refuse(head: ResponseHead, body: Body): void {
    this.#to.refuse(head, body);
  }

  protected override send(call: Call, way: UpstreamTransport): Flight {
    return way.connect(call, this);
  }

  protected override passFailure(error: GatewayError): void {
    this.#to.fail(error);
  }
}

class Failover implements UpstreamTransport {
  readonly #parts: FailoverParts;

  constructor(parts: FailoverParts) {
    this.#parts = parts;
  }

  get upstream(): Upstream {
    return this.#parts.first.upstream;
  }

  usable(): boolean {
    return this.#parts.first.usable() || this.#parts.next.usable();
  }

  send(call: Call, to: Receiver): Flight {
    if (this.#movesAtOnce()) return this.#parts.next.send(call, to);
    return new SendRun(this.#parts, call, to).start();
  }

  connect(call: Call, to: TunnelReceiver): Flight {
    if (this.#movesAtOnce()) return this.#parts.next.connect(call, to);
    return new ConnectRun(this.#parts, call, to).start();
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all([this.#parts.first.close(graceMs), this.#parts.next.close(graceMs)]);
  }

  /** Where the next one is no better off, the first is asked all the same: a chance is better than none. */
  #movesAtOnce(): boolean {
    const { first, next, moved } = this.#parts;
    if (first.usable() || !next.usable()) return false;
    moved();
    return true;
  }
}

/**
 * Puts another upstream behind one. A call goes there when no endpoint of the first is well or its breaker is open,
 * and when all that were tried could not be reached; never once an endpoint may have had the request.
 */
export function createFailover(parts: FailoverParts): UpstreamTransport {
  return new Failover(parts);
}
