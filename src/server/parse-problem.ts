/** Turns what the parser refused into the answer that it deserves. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import type { ListenerLimits } from './settings.ts';

interface ParseError extends Error {
  readonly code?: string;
  readonly reason?: string;
  readonly rawPacket?: Uint8Array;
}

/** 431 or 414 for what is too large, 408 for what is too late, 400 for the rest. */
export function parseProblem(error: ParseError, limits: ListenerLimits): GatewayError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return inRequestLine(error.rawPacket, limits.urlBytes)
        ? gatewayError('GW_URL_TOO_LONG')
        : gatewayError('GW_HEADERS_TOO_LARGE');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return gatewayError('GW_REQUEST_TIMEOUT', 'the request head');
    default:
      return gatewayError('GW_BAD_REQUEST', error.reason ?? error.code ?? '');
  }
}

/** Whether the packet that went over the limit is one long request line: it begins with a method, and no line ends. */
function inRequestLine(packet: Uint8Array | undefined, urlBytes: number): boolean {
  if (packet === undefined) return false;
  const line = Buffer.from(packet.buffer, packet.byteOffset, Math.min(packet.byteLength, urlBytes + 64));
  return line.indexOf(10) === -1 && /^[A-Z-]{3,16} /.test(line.toString('latin1', 0, 20));
}
