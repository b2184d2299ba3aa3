/** Turns what sockets, TLS and undici report into the gateway's own codes. */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { GatewayError, gatewayError } from '../kernel/errors.ts';

/** The `code` of a system or library error, or an empty string. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));

const DNS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME', 'EAI_SERVICE']);
/** What this machine has run out of; the upstream is not to blame. */
const OURS = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/**
 * The verdict on a connection that never came to stand: nothing of a request has left.
 * @param socket as it was when it failed; tells TCP from TLS
 */
export function connectFailure(error: unknown, socket: Socket): GatewayError {
  const code = errorCode(error);
  const detail = code === '' ? text(error) : `${code} ${text(error)}`;
  if (DNS.has(code)) return gatewayError('GW_DNS', detail, error);
  if (code === 'ETIMEDOUT') return gatewayError('GW_CONNECT_TIMEOUT', detail, error);
  if (OURS.has(code)) return gatewayError('GW_CONNECTIONS', detail, error);
  if (socket instanceof TLSSocket) {
    if (socket.authorizationError !== null && socket.authorizationError !== undefined) {
      return gatewayError('GW_TLS_CERTIFICATE', detail, error);
    }
    const beforeTcp = code === 'ECONNREFUSED' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH';
    if (!beforeTcp) return gatewayError('GW_TLS', detail, error);
  }
  return gatewayError('GW_CONNECT_REFUSED', detail, error);
}

/** True when undici refused the request itself, before a byte was sent. */
export function refusedArgument(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED';
}

/** What undici says of an interim answer or an upgrade that nobody asked for. */
const UNASKED = new Set(['bad response', 'bad upgrade']);

const isNonsense = (error: unknown, code: string, headed: boolean): boolean => {
  if (!(error instanceof Error)) return false;
  // undici reports two different lengths as a wrong length.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return !headed;
  // Nothing left to parse: the bytes were right, only too few.
  if (error.name === 'HTTPParserError') return !('data' in error && error.data === '');
  if (code === 'HPE_INVALID_EOF_STATE') return false;
  return code.startsWith('HPE_') || UNASKED.has(error.message);
};

/** Where a request stood when its connection broke. */
export interface Standing {
  /** The connection had carried a request before this one. */
  readonly reused: boolean;
  /** A byte of the response had come. */
  readonly answered: boolean;
  /** The whole head of the response had come. */
  readonly headed: boolean;
}

/** An exception of our own code, which undici hands back as if the connection had broken. */
const isOurs = (error: unknown, code: string): boolean =>
  code === 'ERR_ASSERTION' || (code === '' && !(error instanceof Error && error.name === 'HTTPParserError'));

/** The verdict on a request whose connection broke or spoke nonsense after the request was written. */
export function requestFailure(error: unknown, at: Standing): GatewayError {
  const code = errorCode(error);
  const detail = code === '' ? text(error) : `${code} ${text(error)}`;
  if (error instanceof GatewayError) return error;
  if (isOurs(error, code)) return gatewayError('GW_INTERNAL', detail, error);
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'HPE_HEADER_OVERFLOW') {
    return gatewayError('GW_UPSTREAM_HEADERS', detail, error);
  }
  if (isNonsense(error, code, at.headed)) return gatewayError('GW_UPSTREAM_PROTOCOL', detail, error);
  if (at.headed) return gatewayError('GW_UPSTREAM_CUT', detail, error);
  if (at.answered) return gatewayError('GW_UPSTREAM_RESET', detail, error);
  if (at.reused) return gatewayError('GW_UPSTREAM_STALE', detail, error);
  // TLS 1.3 servers refuse a client's certificate only after the handshake looks done.
  if (code.startsWith('ERR_SSL_') && code.includes('ALERT')) return gatewayError('GW_TLS', detail, error);
  return gatewayError('GW_UPSTREAM_RESET', detail, error);
}
