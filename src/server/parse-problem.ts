/** Turns what the parser refused into the answer that it deserves. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { ListenerLimits } from './settings.ts';

interface ParseError extends Error {
  readonly code?: string;
  readonly reason?: string;
  readonly rawPacket?: Uint8Array;
}

/**
 * 431 or 414 for what is too large, 408 for what is too late, 400 for the rest; null where the client is gone
 * in the middle, which the socket's own events tell.
 */
export function parseProblem(error: ParseError, limits: ListenerLimits): GatewayError | null {
  switch (error.code) {
    case 'HPE_INVALID_EOF_STATE':
      return null;
    case 'HPE_HEADER_OVERFLOW':
      return inRequestLine(error.rawPacket, limits.urlBytes)
        ? gatewayError('GW_URL_TOO_LONG')
        : gatewayError('GW_HEADERS_TOO_LARGE');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return gatewayError('GW_REQUEST_TIMEOUT', 'the request head');
    default:
      // Errors of the system, such as a reset, come the same way.
      return error.code?.startsWith('HPE_') === true
        ? gatewayError('GW_BAD_REQUEST', error.reason ?? error.code)
        : null;
  }
}

/** Whether the packet that went over the limit is one long request line: it begins with a method, and no line ends. */
function inRequestLine(packet: Uint8Array | undefined, urlBytes: number): boolean {
  if (packet === undefined) return false;
  const line = Buffer.from(packet.buffer, packet.byteOffset, Math.min(packet.byteLength, urlBytes + 64));
  return line.indexOf(10) === -1 && /^[A-Z-]{3,16} /.test(line.toString('latin1', 0, 20));
}
