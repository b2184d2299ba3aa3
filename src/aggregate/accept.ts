/** Whether the head of a part's answer promises JSON that can be used. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { fieldText } from '../wire/fields.ts';
import type { ResponseHead } from '../wire/heads.ts';

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json[ \t]*(?:;|$)/i;

/** Why the body that comes with this head cannot be used; null where it can. */
export function answerProblem(
  { status, fields }: ResponseHead,
  lengthBytes: number | null,
  limitBytes: number,
): GatewayError | null {
  if (status === 503 || status === 429) return gatewayError('GW_PART_UNAVAILABLE', `status ${status}`);
  if (status < 200 || status > 299) return gatewayError('GW_PART_STATUS', `status ${status}`);
  if (status === 204 || status === 205) return gatewayError('GW_PART_TYPE', `status ${status}: no content`);
  const type = fieldText(fields, 'content-type') ?? '';
  if (!JSON_TYPE.test(type)) return gatewayError('GW_PART_TYPE', type === '' ? 'no content-type' : type);
  const coding = fieldText(fields, 'content-encoding') ?? 'identity';
  if (coding.toLowerCase() !== 'identity') return gatewayError('GW_PART_TYPE', `content-encoding ${coding}`);
  return lengthBytes !== null && lengthBytes > limitBytes
    ? gatewayError('GW_PART_TOO_LARGE', `${lengthBytes} bytes of ${limitBytes}`)
    : null;
}
