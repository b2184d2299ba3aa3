/** One WebSocket upgrade on its way, and the tunnel that it becomes. */
import { createHash } from 'node:crypto';
import { Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm } from '../kernel/wheel.ts';
import type { Call, Flight } from '../wire/transport.ts';
import type { TunnelEnded, TunnelReceiver } from '../wire/tunnel.ts';
import type { Connector, Opening } from './connector.ts';
import { requestFailure } from './failures.ts';
import { armSooner, type Time } from './patience.ts';
import { type RefusalWatcher, RefusedBody } from './refused-body.ts';
import { responseFields } from './response-fields.ts';
import { TunnelEnd, type TunnelWatcher } from './tunnel-end.ts';

/** Who keeps the tunnels. */
export interface TunnelDesk extends Time {
  readonly connector: Connector;
  /** Hands the upgrade to http-proxy-3. It may throw. */
  upgrade(flight: TunnelFlight): void;
  /** The tunnel is over. Once. */
  tunnelLeft(flight: TunnelFlight): void;
}

/** node:http takes its connection from an agent; this one has exactly ours. */
class OneSocketAgent extends Agent {
  private readonly socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: false });
    this.socket = socket;
  }

  override createConnection(): Socket {
    return this.socket;
  }
}

type Stage = 'connecting' | 'asking' | 'refused' | 'open' | 'joined' | 'over';

/** RFC 6455 section 4.2.2. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const acceptFor = (key: string) =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64');

export class TunnelFlight implements Flight, Opening, TunnelWatcher, RefusalWatcher {
  readonly call: Call;
  readonly end: TunnelEnd;
  readonly agent: Agent;
  private readonly desk: TunnelDesk;
  private readonly to: TunnelReceiver;
  private readonly socket: Socket;
  private readonly alarm = new Alarm(() => this.ring());
  private stage: Stage = 'connecting';
  private request: ClientRequest | null = null;
  private refusal: RefusedBody | null = null;
  private client: Duplex | null = null;
  private ended: TunnelEnded | null = null;
  private lateFailure: GatewayError | null = null;
  private movedMs = 0;
  private byDeadline = false;

  constructor(desk: TunnelDesk, call: Call, to: TunnelReceiver) {
    this.desk = desk;
    this.call = call;
    this.to = to;
    this.end = new TunnelEnd(this);
    this.socket = desk.connector.open(this);
    this.agent = new OneSocketAgent(this.socket);
    this.socket.on('error', (error) => this.broke(error));
    this.socket.on('close', () => this.closedEarly());
    this.byDeadline = armSooner(desk, this.alarm, call.timeouts.connectMs, call.deadlineMs);
  }

  opened(): void {
    if (this.stage !== 'connecting') return;
    this.stage = 'asking';
    this.byDeadline = armSooner(this.desk, this.alarm, this.call.timeouts.firstByteMs, this.call.deadlineMs);
    try {
      this.desk.upgrade(this);
      // http-proxy-3's own listener knows no back-pressure, and no answer that breaks off.
      this.request?.removeAllListeners('response').on('response', (message) => this.refused(message));
    } catch (error) {
      this.lose(gatewayError('GW_INTERNAL', 'the upgrade could not be sent', error));
    }
  }

  openFailed(error: GatewayError): void {
    this.lose(error);
  }

  /** http-proxy-3 has made its request; what it does not do well is taken over here. */
  requested(request: ClientRequest): void {
    const { path, query } = this.call.head;
    // It normalises the path by itself, which would lead round routes and their policies.
    request.path = path + query;
    this.request = request;
  }

  /** The request or the connection broke. */
  broke(error: Error): void {
    if (this.stage === 'asking') {
      this.lose(requestFailure(error, { reused: false, answered: false, headed: false }));
    } else if (this.stage === 'open' || this.stage === 'joined') {
      this.lose(gatewayError('GW_UPSTREAM_CUT', error.message, error));
    } else if (this.stage === 'refused') {
      this.refusal!.break(gatewayError('GW_UPSTREAM_CUT', error.message, error));
    }
  }

  accepted(text: string): void {
    const raw: string[] = [];
    for (const line of text.split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      if (colon > 0) raw.push(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const { fields, connection, upgrade } = responseFields(raw);
    const key = this.call.head.fields['sec-websocket-key'];
    const tokens = (connection ?? '').split(',').map((token) => token.trim());
    if (upgrade !== 'websocket' || !tokens.includes('upgrade')) {
      this.lose(gatewayError('GW_UPGRADE_FAILED', 'a 101 without upgrade: websocket'));
    } else if (typeof key !== 'string' || fields['sec-websocket-accept'] !== acceptFor(key)) {
      this.lose(gatewayError('GW_UPGRADE_FAILED', 'a wrong sec-websocket-accept'));
    } else {
      this.stage = 'open';
      this.moved();
      this.armIdle(this.call.timeouts.idleMs);
      this.to.open({ status: 101, fields }, (client, ended) => this.join(client, ended));
    }
  }

  moved(): void {
    this.movedMs = this.desk.clock.nowMs();
  }

  clientClosed(inOrder: boolean): void {
    if (this.stage !== 'joined') return;
    if (inOrder) this.finish(null);
    else this.finish(gatewayError('GW_CLIENT_LEFT', 'in the middle of a tunnel'));
  }

  refusalOver(): void {
    if (this.stage === 'refused') this.leave();
  }

  cancel(why: GatewayError): void {
    if (this.stage === 'joined') this.finish(why);
    else if (this.stage !== 'over') {
      this.lateFailure = why;
      this.leave();
      this.refusal?.cancel();
      this.socket.destroy();
    }
  }

  /** Ends it with an error, wherever it is. */
  lose(error: GatewayError): void {
    if (this.stage === 'joined') {
      this.finish(error);
    } else if (this.stage === 'refused') {
      this.refusal!.break(error);
    } else if (this.stage !== 'over') {
      const told = this.stage === 'open';
      this.lateFailure = error;
      this.leave();
      this.socket.destroy();
      if (!told) this.to.fail(error);
    }
  }

  /** Fails it, but not before the caller of `connect` has its flight. */
  failSoon(error: GatewayError): void {
    queueMicrotask(() => this.lose(error));
  }

  private join(client: Duplex, ended: TunnelEnded): void {
    if (this.stage !== 'open') {
      client.destroy();
      ended(this.lateFailure ?? gatewayError('GW_UPSTREAM_CUT', 'closed before it was joined'));
      return;
    }
    this.stage = 'joined';
    this.client = client;
    this.ended = ended;
    this.moved();
    this.end.join(client);
  }

  private refused(message: IncomingMessage): void {
    if (this.stage !== 'asking') {
      message.destroy();
      return;
    }
    const { fields, problem } = responseFields(message.rawHeaders);
    if (problem !== null) {
      this.lose(gatewayError('GW_UPSTREAM_PROTOCOL', problem));
      return;
    }
    this.stage = 'refused';
    this.refusal = new RefusedBody(message, this);
    this.moved();
    this.armIdle(this.call.timeouts.idleMs);
    this.to.refuse({ status: message.statusCode ?? 502, fields }, this.refusal);
  }

  private closedEarly(): void {
    if (this.stage === 'asking') {
      this.lose(gatewayError('GW_UPSTREAM_RESET', 'closed before the answer to an upgrade'));
    }
  }

  private armIdle(delayMs: number): void {
    this.desk.wheel.arm(this.alarm, delayMs);
  }

  private ring(): void {
    const { connectMs, firstByteMs, idleMs } = this.call.timeouts;
    if (this.stage === 'connecting' || this.stage === 'asking') {
      if (this.byDeadline) this.lose(gatewayError('GW_TIMEOUT', `while ${this.stage}`));
      else if (this.stage === 'connecting') this.lose(gatewayError('GW_CONNECT_TIMEOUT', `${connectMs} ms`));
      else this.lose(gatewayError('GW_UPSTREAM_TIMEOUT', `${firstByteMs} ms`));
      return;
    }
    const leftMs = this.movedMs + idleMs - this.desk.clock.nowMs();
    if (this.refusal?.held === true) this.armIdle(idleMs);
    else if (leftMs > 0) this.armIdle(leftMs);
    // The upstream has gone in order and only the client lingers: nothing went wrong.
    else if (this.stage === 'joined' && this.socket.destroyed) this.finish(null);
    else this.lose(gatewayError('GW_UPSTREAM_IDLE', `${idleMs} ms`));
  }

  /** The joined tunnel is over. */
  private finish(error: GatewayError | null): void {
    const { client, ended } = this;
    this.ended = null;
    this.leave();
    if (error === null) this.socket.destroySoon();
    else this.socket.destroy();
    client?.destroy();
    ended?.(error);
  }

  private leave(): void {
    this.stage = 'over';
    this.desk.wheel.disarm(this.alarm);
    this.end.destroy();
    this.desk.tunnelLeft(this);
  }
}
