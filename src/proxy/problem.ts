/** The answers that the gateway makes itself: problem documents (RFC 9457) with a code and no inner detail. */
import { type GatewayCode, GatewayError, gatewayError, KINDS } from '../kernel/errors.ts';
import type { Reply } from '../plugin.ts';
import { createFields, type Fields } from '../wire/fields.ts';

const encoder = new TextEncoder();

/** All but the status and the trace ID is the same for every error of a code. */
const starts = new Map<GatewayCode, string>();
for (const code of Object.keys(KINDS) as GatewayCode[]) {
  const type = `urn:snowgate:error:${code}`;
  starts.set(code, JSON.stringify({ type, title: KINDS[code].title }).slice(0, -1));
}

/** The body of an error: type, title, status, code, traceId, and the part of an aggregate that failed. */
export function problemDocument(
  error: GatewayError,
  status: number,
  traceId: string,
  part: string | null = null,
): Uint8Array {
  const named = part === null ? '' : `,"part":${JSON.stringify(part)}`;
  const rest = `,"status":${status},"code":"${error.code}"${named},"traceId":${JSON.stringify(traceId)}}\n`;
  return encoder.encode(starts.get(error.code)! + rest);
}

/** The answer for a failure; `answer` writes its document. */
export function errorReply(error: GatewayError, fields: Fields = createFields()): Reply {
  if (error.retryAfterSeconds > 0) fields['retry-after'] = String(error.retryAfterSeconds);
  return { status: error.status, fields, body: null, by: 'gateway', error };
}

/** What a hook threw: a GatewayError keeps its code, anything else is the plugin's failure. */
export function pluginError(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  return gatewayError('GW_PLUGIN', cause instanceof Error ? cause.message : String(cause), cause);
}
