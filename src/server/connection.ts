/** One client's connection: which request is being served, what waits, its clocks, and its end. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { Alarm } from '../kernel/wheel.ts';
import type { Peer } from '../wire/heads.ts';
import type { Carrier } from './carrier.ts';
import { Http1Exchange } from './exchange.ts';
import { type HeldSocket, HOLDER, type Holder, type Incoming } from './incoming.ts';
import { problemText } from './problem.ts';
import type { ListenerLimits, Settings } from './settings.ts';

/** What is read and thrown away after the answer, so that a client that is still sending can read it. */
const LINGER_MS = 2000;
const LINGER_BYTES = 1024 ** 2;
/** How often a lingering connection's bytes are counted, should no event tell of them. */
const LINGER_TICK_MS = 100;
/** A connection that has just been made may still send its first request while the listener drains. */
const FRESH_GRACE_MS = 1000;

/** Requests read ahead of the one that is served; node:http has no bound of its own for those without an answer. */
const MAX_PIPELINED = 256;

type State = 'fresh' | 'idle' | 'busy' | 'rest' | 'linger' | 'tunnel' | 'closed';

interface Waiting {
  readonly req: Incoming;
  readonly res: ServerResponse;
}

export class Connection implements Holder, Carrier {
  readonly socket: Socket;
  readonly settings: Settings;
  readonly peer: Peer;
  readonly scheme: 'http' | 'https';
  readonly ownAuthority: string;
  state: State = 'fresh';
  #current: Http1Exchange | null = null;
  /** Pipelined requests: served one after the other, since they need not be safe to run side by side. */
  #waiting: Waiting[] = [];
  #refusal: GatewayError | null = null;
  readonly #alarm = new Alarm(() => this.#rung());
  readonly #writeAlarm = new Alarm(() => this.#writeRung());
  readonly #gone: (connection: Connection) => void;
  #mark = 0;
  #lingerMs = 0;
  #partial = false;
  #queued = -1;
  #ours = false;
  /** The parser has let the socket go, for an upgrade or CONNECT. */
  #detached = false;

  constructor(socket: Socket, settings: Settings, gone: (connection: Connection) => void) {
    this.socket = socket;
    this.settings = settings;
    this.#gone = gone;
    const local = plain(socket.localAddress ?? '');
    this.peer = {
      address: plain(socket.remoteAddress ?? ''),
      port: socket.remotePort ?? 0,
      localAddress: local,
      localPort: socket.localPort ?? 0,
      secure: false,
    };
    this.scheme = 'http';
    this.ownAuthority = local.includes(':')
      ? `[${local}]:${this.peer.localPort}`
      : `${local}:${this.peer.localPort}`;
    (socket as HeldSocket)[HOLDER] = this;
    socket.on('close', () => this.#closed());
    socket.on('end', () => this.#ended());
    socket.on('drain', () => this.#drained());
    // The close that follows tells all there is to know.
    socket.on('error', ignore);
    this.#arm(settings.timeouts.headersMs);
  }

  get limits(): ListenerLimits {
    return this.settings.limits;
  }

  /** Takes a request from the parser. */
  request(req: Incoming, res: ServerResponse): void {
    // The parser goes on through what it has read, whatever has become of the socket.
    if (this.socket.destroyed) return;
    if (this.state === 'linger') discard(req, this);
    else if (this.#current !== null || this.#waiting.length > 0) this.#wait(req, res);
    else this.#start(req, res);
  }

  /** Takes a WebSocket handshake, with what the client sent after it. */
  upgrade(req: Incoming, early: Buffer): void {
    this.#detached = true;
    if (this.state === 'linger' || this.state === 'closed') return;
    if (this.#current !== null) {
      // Behind an unfinished request there is no telling whether the client should have waited.
      this.#refusal = gatewayError('GW_UPGRADE_REFUSED', 'pipelined');
      return;
    }
    req.inspect(this.limits, this.scheme, this.ownAuthority);
    if (req.problem !== null || req.head === null) {
      this.refuse(req.problem ?? gatewayError('GW_BAD_REQUEST'), req);
      return;
    }
    if (early.length > 0) this.socket.unshift(early);
    this.#serve(new Http1Exchange(this, req, null));
  }

  /** What the parser refuses: malformed, too large, too late. */
  refuseParse(error: GatewayError): void {
    if (this.state === 'linger') this.checkLinger();
    else if (this.state === 'closed' || this.state === 'tunnel') this.socket.destroy();
    else if (this.#current === null) this.refuse(error, null);
    else if (this.#current.bodyBroken(error)) return;
    else this.#refusal ??= error;
  }

  /** Refuses a request after which the parser has let the socket go (CONNECT). */
  tunnelRefused(error: GatewayError): void {
    this.#detached = true;
    if (this.#current !== null) this.#refusal = error;
    else if (this.state !== 'linger' && this.state !== 'closed') this.refuse(error, null);
  }

  /** Answers with a problem document and ends the connection, letting the client read it. */
  refuse(error: GatewayError, req: Incoming | null): void {
    const traceId = this.settings.refused(error, this.peer, '');
    if (this.socket.destroyed || !this.socket.writable) {
      this.socket.destroy();
      return;
    }
    const wallMs = this.settings.clock.wallMs();
    this.socket.write(problemText(error, { traceId, wallMs, bodiless: req?.method === 'HEAD' }), 'latin1');
    this.linger(req);
  }

  /** Half-closes, and reads what still comes for a while, so that no reset destroys the answer on its way. */
  linger(req: Incoming | null): void {
    if (this.state === 'linger' || this.state === 'closed') return;
    this.state = 'linger';
    this.#mark = this.socket.bytesRead;
    this.#lingerMs = LINGER_MS;
    this.willClose();
    this.socket.end();
    if (req !== null) discard(req, this);
    if (this.#detached) this.socket.resume();
    this.#arm(LINGER_TICK_MS);
  }

  /** Ends a lingering connection that has sent more than its share. */
  checkLinger(): void {
    if (this.socket.bytesRead - this.#mark > LINGER_BYTES) this.socket.destroy();
  }

  /** The exchange has ended well; `keep` when the connection may carry another. */
  finished(req: Incoming, keep: boolean): void {
    this.#current = null;
    this.settings.wheel.disarm(this.#writeAlarm);
    if (this.state === 'closed') return;
    if (!keep) {
      this.linger(req);
    } else if (req.hasBody && !req.complete) {
      this.state = 'rest';
      this.#arm(LINGER_MS);
      req.resume();
    } else {
      if (req.hasBody) req.resume();
      this.#next();
    }
  }

  /** The rest of an unread body has been drained. */
  rested(): void {
    if (this.state === 'rest') this.#next();
  }

  /** The exchange is cut: the connection with it. */
  cut(reset: boolean): void {
    this.#current = null;
    if (reset) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /** The answer says close: its end must not take the reading side with it, as node:http's own closing would. */
  willClose(): void {
    this.socket.destroySoon = ignore;
  }

  /** Starts the clock that waits for body bytes, or the end of a tunnel's wait. */
  awaitBody(ms: number): void {
    this.#arm(ms);
  }

  restBody(): void {
    this.settings.wheel.disarm(this.#alarm);
  }

  bodyBroken(error: GatewayError): void {
    this.#current?.bodyFailed(error);
  }

  /** Starts (or lets run on) the clock on bytes that the client doesn't take. */
  awaitWrite(): void {
    this.#queued = writeQueue(this.socket);
    this.settings.wheel.arm(this.#writeAlarm, this.settings.timeouts.writeIdleMs);
  }

  /** The connection has become a raw one; only drain and the two ends know of it from now on. */
  tunnelled(): void {
    this.state = 'tunnel';
    this.restBody();
  }

  /** The listener takes no more: closes now what is idle. */
  drain(): void {
    if (this.state === 'idle') this.socket.destroySoon();
    else if (this.state === 'fresh') this.#arm(FRESH_GRACE_MS);
  }

  /** Ends the connection at once, whatever runs on it. */
  destroy(): void {
    this.#ours = true;
    this.socket.destroy();
  }

  #arm(ms: number): void {
    this.settings.wheel.arm(this.#alarm, ms);
  }

  #wait(req: Incoming, res: ServerResponse): void {
    if (this.#waiting.push({ req, res }) <= MAX_PIPELINED) return;
    this.settings.refused(gatewayError('GW_BAD_REQUEST', 'too many pipelined requests'), this.peer, '');
    this.destroy();
  }

  #start(req: Incoming, res: ServerResponse): void {
    req.inspect(this.limits, this.scheme, this.ownAuthority);
    if (req.problem !== null || req.head === null) {
      this.refuse(req.problem ?? gatewayError('GW_BAD_REQUEST'), req);
      return;
    }
    this.#serve(new Http1Exchange(this, req, res));
  }

  #serve(exchange: Http1Exchange): void {
    this.restBody();
    this.#partial = false;
    this.state = 'busy';
    this.#current = exchange;
    try {
      this.settings.serve(exchange);
    } catch (cause) {
      // A throw from here would end the process, and every other client's request with it.
      const error = gatewayError(
        'GW_INTERNAL',
        cause instanceof Error ? cause.message : String(cause),
        cause,
      );
      this.settings.refused(error, this.peer, exchange.traceId);
      exchange.broken(error);
    }
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.state = 'busy';
      // node:http hands the socket over a tick later; before that, back-pressure could not be told.
      if (next.res.socket !== null) this.#start(next.req, next.res);
      else next.res.once('socket', () => this.#start(next.req, next.res));
    } else if (this.#refusal !== null) {
      this.refuse(this.#refusal, null);
    } else if (this.settings.draining) {
      this.socket.destroySoon();
    } else {
      this.state = 'idle';
      this.#mark = this.socket.bytesRead;
      this.#arm(this.settings.timeouts.keepAliveMs);
    }
  }

  #rung(): void {
    switch (this.state) {
      case 'fresh':
        if (this.settings.draining && this.socket.bytesRead === 0) this.socket.destroySoon();
        else this.refuse(gatewayError('GW_REQUEST_TIMEOUT', 'the request head'), null);
        break;
      case 'idle':
        this.#idleRung();
        break;
      case 'busy':
        this.#current?.bodyStalled();
        break;
      case 'linger':
        this.#lingerMs -= LINGER_TICK_MS;
        this.checkLinger();
        if (this.#lingerMs <= 0) this.socket.destroy();
        else if (!this.socket.destroyed) this.#arm(LINGER_TICK_MS);
        break;
      default:
        this.socket.destroy();
    }
  }

  /** Bytes without a head are a late request or a drip of empty lines: one more stretch, never two. */
  #idleRung(): void {
    if (this.socket.bytesRead === this.#mark) {
      this.socket.destroySoon();
    } else if (this.#partial) {
      this.refuse(gatewayError('GW_REQUEST_TIMEOUT', 'the request head'), null);
    } else {
      this.#partial = true;
      this.#arm(this.settings.timeouts.headersMs);
    }
  }

  #writeRung(): void {
    const queued = writeQueue(this.socket);
    if (queued !== this.#queued && queued > 0) {
      this.awaitWrite();
      return;
    }
    if (this.state === 'tunnel') return;
    this.destroy();
  }

  #drained(): void {
    this.settings.wheel.disarm(this.#writeAlarm);
    this.#current?.drained();
  }

  /** A client that closes its side has left: the same rule as nginx and Envoy keep. */
  #ended(): void {
    if (this.state === 'tunnel') return;
    if (this.#current?.answered === true) return;
    if (this.state !== 'linger') this.socket.destroy();
  }

  #closed(): void {
    const current = this.#current;
    this.#current = null;
    this.#waiting.length = 0;
    this.state = 'closed';
    this.settings.wheel.disarm(this.#alarm);
    this.settings.wheel.disarm(this.#writeAlarm);
    this.#gone(this);
    current?.gone(this.#ours ? 'cut' : 'left');
  }
}

const ignore = () => {};

/** Reads a body for nobody, counting what comes. */
function discard(req: Incoming, connection: Connection): void {
  req.on('data', () => connection.checkLinger());
  req.resume();
}

/** IPv4 on a dual-stack socket is IPv4. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** Bytes that the system has not taken yet: the only sign of progress in the middle of one large write. */
function writeQueue(socket: Socket): number {
  const handle = (socket as { _handle?: { writeQueueSize?: number } | null })._handle;
  return handle?.writeQueueSize ?? 0;
}
