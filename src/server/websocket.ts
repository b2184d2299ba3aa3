/** Decides whether a request is a well-formed WebSocket handshake. */
import type { Fields } from '../wire/fields.ts';

/** 16 random bytes in base64 (RFC 6455 section 4.1); the last character before the padding holds two bits. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** True for the handshake of RFC 6455 section 4.2.1; the caller has seen that HTTP/1.1, GET and no body are given. */
export function validHandshake(fields: Fields): boolean {
  const key = fields['sec-websocket-key'];
  return typeof key === 'string' && KEY.test(key) && fields['sec-websocket-version'] === '13';
}
