/** The Proxy-Status field (RFC 9209): how this gateway came to its answer. */
import type { LiveExchange } from '../pipeline/exchange.ts';
import type { Reply } from '../plugin.ts';

/** Only printable ASCII stands in a string of structured fields (RFC 9651 section 3.3.3). */
const text = (value: string) =>
  `"${value
    .slice(0, 256)
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, '\\$&')}"`;

/**
 * The member for this answer, or null where there is nothing to tell. The endpoint, the upstream's status and
 * the detail are for trusted callers only.
 */
export function proxyStatus(x: LiveExchange, reply: Reply): string | null {
  const error = reply.error;
  const trusted = x.client.trusted;
  if (error === null && !trusted) return null;
  let value = 'snowgate';
  if (error !== null) {
    if (error.proxyStatus !== null) value += `; error=${error.proxyStatus}`;
    value += `; code=${error.code}`;
  }
  if (!trusted) return value;
  // Of several parts at once none is the next hop; the details name the one that failed.
  const attempt = x.parts === '' ? x.lastAttempt : undefined;
  if (attempt !== undefined) {
    value += `; next-hop=${text(attempt.endpoint)}`;
    if (attempt.status > 0) value += `; received-status=${attempt.status}`;
  } else if (error === null) return null;
  if (error !== null && error.detail !== '') value += `; details=${text(error.detail)}`;
  return value;
}
