/** The answers to bearer tokens that are missing, wrong or too weak (RFC 6750 section 3). */
import { type Reply, refuse, z } from 'snowgate/plugin';

/** A setting that stands in a quoted string of a challenge. */
export const realm = z
  .string()
  .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'must be plain text without quotes')
  .default('api')
  .describe('The realm that a 401 names.');

/** `Bearer realm="…"`: no error where nothing was shown. */
export const bearerChallenge = (name: string): string => `Bearer realm="${name}"`;

/**
 * 401 for a token that was shown and is not good.
 * @param text for the client, without quotes; the log has `detail` beside it
 */
export function invalidToken(name: string, text: string, detail: string): Reply {
  return refuse('GW_UNAUTHENTICATED', detail === '' ? text : `${text}: ${detail}`, {
    'www-authenticate': `${bearerChallenge(name)}, error="invalid_token", error_description="${text}"`,
  });
}
