/** Turns what sockets, TLS and parsers report into the gateway's own codes. */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { GatewayError, gatewayError } from '../kernel/errors.ts';

/** The `code` of a system or library error, or an empty string. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** One line, with the code where the message does not hold it already. */
const detailOf = (error: unknown, code: string): string => {
  const text = (error instanceof Error ? error.message : String(error)).trim().replaceAll(/\s*\n\s*/g, ' ');
  return text.includes(code) ? text : `${code} ${text}`;
};

const DNS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME', 'EAI_SERVICE']);
/** What this machine has run out of; the upstream is not to blame. */
const OURS = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/**
 * The verdict on a connection that never came to stand: nothing of a request has left.
 * @param socket as it was when it failed; tells TCP from TLS
 */
export function connectFailure(error: unknown, socket: Socket): GatewayError {
  const code = errorCode(error);
  const detail = detailOf(error, code);
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

/** node:http, which upgrades go through, says that a head is too large or no HTTP. */
const parserFailure = (code: string, detail: string, error: unknown): GatewayError | null => {
  if (code === 'HPE_HEADER_OVERFLOW') return gatewayError('GW_UPSTREAM_HEADERS', detail, error);
  // Nothing left to parse: the bytes were right, only too few.
  if (!code.startsWith('HPE_') || code === 'HPE_INVALID_EOF_STATE') return null;
  return gatewayError('GW_UPSTREAM_PROTOCOL', detail, error);
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

/**
 * The verdict on a request whose connection broke or spoke nonsense after the request was written.
 * @param error as the socket reported it, or thrown while the answer was read; null when the socket ended in order
 */
export function requestFailure(error: unknown, at: Standing): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = errorCode(error);
  const detail = error === null ? 'the connection ended' : detailOf(error, code);
  // An exception of our own code, not an error of the connection.
  if (error !== null && code === '') return gatewayError('GW_INTERNAL', detail, error);
  const nonsense = parserFailure(code, detail, error);
  if (nonsense !== null) return nonsense;
  if (at.headed) return gatewayError('GW_UPSTREAM_CUT', detail, error);
  if (at.answered) return gatewayError('GW_UPSTREAM_RESET', detail, error);
  if (at.reused) return gatewayError('GW_UPSTREAM_STALE', detail, error);
  // TLS 1.3 servers refuse a client's certificate only after the handshake looks done.
  if (code.startsWith('ERR_SSL_') && code.includes('ALERT')) return gatewayError('GW_TLS', detail, error);
  return gatewayError('GW_UPSTREAM_RESET', detail, error);
}
