/** The parsed request: reads the parser's flat field list once, strictly, into the head that travels. */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { createFields, type Fields } from '../wire/fields.ts';
import type { RequestHead } from '../wire/heads.ts';
import { absoluteTarget, authorityOf, sameAuthority } from './host.ts';
import * as names from './names.ts';
import type { ListenerLimits } from './settings.ts';
import { validHandshake } from './websocket.ts';

/** Framing of a request body other than by content-length. */
export const NO_BODY = -1;
export const CHUNKED = -2;

/** What node:http itself asks of `headers`: is there a body, and is an interim answer expected. */
const SEEN = {
  none: Object.freeze({}),
  body: Object.freeze({ 'transfer-encoding': 'chunked' }),
  expect: Object.freeze({ expect: '100-continue' }),
  both: Object.freeze({ 'transfer-encoding': 'chunked', expect: '100-continue' }),
};

/** What can be sent in a request line and carries no meaning of its own; `#` never travels (RFC 9112 section 3.2). */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
const DIGITS = /^[0-9]{1,15}$/;
/** Only what `Connection` nearly always says, and names no field. */
const PLAIN_CONNECTION = /^(?:keep-alive|close|upgrade)$/i;

export class Incoming extends IncomingMessage {
  /** Null until `inspect`, and for a refused request. */
  head: RequestHead | null = null;
  problem: GatewayError | null = null;
  /** Bytes, `CHUNKED` or `NO_BODY`. */
  bodyBytes = NO_BODY;
  expects = false;
  /** A well-formed WebSocket handshake. */
  handshake = false;
  /** Whoever takes the body's events. */
  reader: { chunk(bytes: Uint8Array): void; over(): void } | null = null;
  #inspected = false;

  /** Reads and checks the head. The limits are the listener's; refusals end up in `problem`. */
  inspect(limits: ListenerLimits, scheme: 'http' | 'https', ownAuthority: string): void {
    if (this.#inspected) return;
    this.#inspected = true;
    this.problem = this.#read(limits, scheme, ownAuthority);
  }

  get hasBody(): boolean {
    return this.bodyBytes > 0 || this.bodyBytes === CHUNKED;
  }

  /** The little that node:http looks at, in place of its own second reading of the field list. */
  get seen(): Readonly<Record<string, string>> {
    const held = (this.socket as HeldSocket)[HOLDER];
    if (held !== undefined) this.inspect(held.limits, held.scheme, held.ownAuthority);
    const body = this.hasBody;
    if (this.expects) return body ? SEEN.both : SEEN.expect;
    return body ? SEEN.body : SEEN.none;
  }

  #read(limits: ListenerLimits, scheme: 'http' | 'https', ownAuthority: string): GatewayError | null {
    const raw = this.rawHeaders;
    const fields = createFields();
    let bytes = 0;
    let hosts = 0;
    let host = '';
    let length = '';
    let lengths = 0;
    let coding = '';
    let codings = 0;
    let connection = '';
    let upgrade = '';
    let expect = '';
    for (let at = 0; at < raw.length; at += 2) {
      const value = raw[at + 1]!;
      const { name, kind } = names.fieldName(raw[at]!);
      bytes += name.length + value.length + 4;
      switch (kind) {
        case names.ORDINARY:
          addField(fields, name, value);
          break;
        case names.COOKIE:
          fields.cookie = fields.cookie === undefined ? value : `${fields.cookie}; ${value}`;
          break;
        case names.HOST:
          host = value;
          hosts++;
          break;
        case names.CONNECTION:
          connection = connection === '' ? value : `${connection},${value}`;
          break;
        case names.CONTENT_LENGTH:
          length = value;
          lengths++;
          break;
        case names.TRANSFER_ENCODING:
          coding = value;
          codings++;
          break;
        case names.UPGRADE:
          upgrade = upgrade === '' ? value : `${upgrade}, ${value}`;
          break;
        case names.EXPECT:
          expect = expect === '' ? value : `${expect}, ${value}`;
          break;
      }
    }
    // The body's framing is settled first: node:http asks for it even where the request is refused.
    if (codings > 0) this.bodyBytes = CHUNKED;
    else if (lengths > 0) this.bodyBytes = DIGITS.test(length) ? Number(length) : CHUNKED;

    const url = this.url!;
    if (url.length > limits.urlBytes) return gatewayError('GW_URL_TOO_LONG', `${url.length} bytes`);
    if (raw.length > limits.headerCount * 2)
      return gatewayError('GW_HEADERS_TOO_LARGE', `${raw.length / 2} field lines`);
    if (bytes > limits.headerBytes) return gatewayError('GW_HEADERS_TOO_LARGE', `${bytes} bytes`);
    if (this.httpVersionMajor !== 1) return gatewayError('GW_BAD_REQUEST', `HTTP/${this.httpVersion}`);
    if (codings > 0) {
      if (codings > 1 || coding.toLowerCase() !== 'chunked')
        return gatewayError('GW_BAD_REQUEST', 'a transfer coding other than chunked');
      if (lengths > 0) return gatewayError('GW_BAD_REQUEST', 'both content-length and transfer-encoding');
      if (this.httpVersionMinor === 0) return gatewayError('GW_BAD_REQUEST', 'transfer-encoding in HTTP/1.0');
    } else if (lengths > 0) {
      if (lengths > 1 || !DIGITS.test(length)) return gatewayError('GW_BAD_REQUEST', 'content-length');
      fields['content-length'] = length;
    }
    const method = this.method!;
    if (method === 'TRACE' || method === 'CONNECT') return gatewayError('GW_METHOD_REFUSED', method);

    let authority: string | null = ownAuthority;
    if (hosts !== 0 || this.httpVersionMinor !== 0) {
      authority = hosts === 1 ? authorityOf(host) : null;
      if (authority === null) return gatewayError('GW_BAD_HOST', hosts > 1 ? 'doubled' : '');
    }
    if (!TARGET.test(url)) return gatewayError('GW_BAD_PATH');
    let path = url;
    let query = '';
    if (url.charCodeAt(0) === 0x2f) {
      const mark = url.indexOf('?');
      if (mark !== -1) {
        path = url.slice(0, mark);
        query = url.slice(mark);
      }
    } else {
      const target = absoluteTarget(url, scheme);
      if (target === null) return gatewayError('GW_BAD_REQUEST', 'the request target');
      if (hosts !== 0 && !sameAuthority(target.authority!, authority, scheme))
        return gatewayError('GW_BAD_HOST', 'the request target names another host');
      authority = target.authority!;
      path = target.path;
      query = target.query;
    }

    let asksUpgrade = false;
    if (connection !== '') asksUpgrade = dropConnectionFields(fields, connection);
    if (expect !== '' && this.httpVersionMinor !== 0) {
      if (expect.toLowerCase() !== '100-continue') return gatewayError('GW_EXPECTATION');
      this.expects = this.hasBody;
    }
    // Another protocol is not spoken here, so its Upgrade is as good as absent (RFC 9110 section 7.8).
    if (asksUpgrade && this.httpVersionMinor === 1 && upgrade.toLowerCase() === 'websocket') {
      if (method !== 'GET' || this.hasBody || !validHandshake(fields))
        return gatewayError('GW_UPGRADE_REFUSED');
      this.handshake = true;
    }
    this.head = { method, scheme, authority, path, query, fields };
    return null;
  }
}

// By this node:http reads our field list; the declared type is a property, which no subclass may make a getter.
Object.defineProperty(Incoming.prototype, 'headers', {
  configurable: true,
  get(this: Incoming) {
    return this.seen;
  },
});

/** Where a socket carries what its requests are checked against. */
export const HOLDER = Symbol('holder');

export interface Holder {
  readonly limits: ListenerLimits;
  readonly scheme: 'http' | 'https';
  /** The address that the client reached, for HTTP/1.0 without Host. */
  readonly ownAuthority: string;
}

export interface HeldSocket extends Socket {
  [HOLDER]?: Holder;
}

function addField(fields: Fields, name: string, value: string): void {
  const had = fields[name];
  if (had === undefined) fields[name] = value;
  else if (typeof had === 'string') fields[name] = [had, value];
  else had.push(value);
}

/** Takes away what `Connection` names, as far as it may; true when it names `upgrade`. */
function dropConnectionFields(fields: Fields, connection: string): boolean {
  if (PLAIN_CONNECTION.test(connection)) return connection.length === 7;
  let upgrade = false;
  for (const token of connection.split(',')) {
    const name = token.trim().toLowerCase();
    if (name === 'upgrade') upgrade = true;
    else if (names.removable(name)) delete fields[name];
  }
  return upgrade;
}
