/** What a token must say of itself to be taken: when, for whom and of what type (RFC 7519 section 4.1, RFC 8725). */
import type { ReadToken } from './token.ts';

/** Why a token is not taken: `reason` for the metrics, `text` for the client, `detail` for the log. */
export interface Problem {
  readonly reason:
    | 'malformed'
    | 'issuer'
    | 'type'
    | 'algorithm'
    | 'time'
    | 'audience'
    | 'subject'
    | 'key'
    | 'signature';
  readonly text: string;
  /** What the token said instead, or ''. */
  readonly detail: string;
}

/** @param said what the token says where it should say something else, for the log; undefined for nothing */
export function problem(reason: Problem['reason'], text: string, said?: unknown): Problem {
  return { reason, text, detail: said === undefined ? '' : JSON.stringify(said).slice(0, 200) };
}

export interface ClaimRules {
  /** Null: any; empty: only tokens that name none. */
  readonly audiences: ReadonlySet<string> | null;
  readonly types: ReadonlySet<string>;
  readonly skewMs: number;
}

const isInstant = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const checkTimes = ({ exp, nbf, iat }: ReadToken['claims'], skewMs: number, nowMs: number) => {
  if (!isInstant(exp)) return 'the token does not say when it expires';
  if (exp * 1000 + skewMs <= nowMs) return 'the token has expired';
  for (const since of [nbf, iat]) {
    if (since === undefined) continue;
    if (!isInstant(since)) return 'the token does not say when it begins';
    if (since * 1000 - skewMs > nowMs) return 'the token is not valid yet';
  }
  return null;
};

/** The audiences as a list; null when the claim has neither of its two forms. */
const audiencesOf = (aud: unknown): readonly string[] | null => {
  if (aud === undefined) return [];
  if (typeof aud === 'string') return [aud];
  return Array.isArray(aud) && aud.every((one) => typeof one === 'string') ? aud : null;
};

/** Gives what is wrong, or null. Signature and issuer are not looked at. */
export function checkClaims(token: ReadToken, rules: ClaimRules, nowMs: number): Problem | null {
  const { typ, claims } = token;
  if (typ !== undefined && !rules.types.has(typ))
    return problem('type', 'the token is of the wrong type', typ);
  const time = checkTimes(claims, rules.skewMs, nowMs);
  if (time !== null) return problem('time', time);
  const named = audiencesOf(claims.aud);
  if (named === null) return problem('malformed', 'the token is malformed');
  const { audiences } = rules;
  if (audiences === null) return null;
  // Without an audience of our own, a token that is meant for somebody is not meant for us (RFC 7519 section 4.1.3).
  const fits = audiences.size === 0 ? named.length === 0 : named.some((name) => audiences.has(name));
  return fits ? null : problem('audience', 'the token is for another audience', named);
}

/** The scopes that a token grants: `scope` (RFC 8693 section 4.2) or `scp`, as text or as a list. */
export function scopesOf(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const given = claims.scope ?? claims.scp;
  if (typeof given === 'string') return given.split(' ').filter((scope) => scope !== '');
  return Array.isArray(given) ? given.filter((scope) => typeof scope === 'string') : [];
}
