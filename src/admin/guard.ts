/** Decides whether a request may have an admin resource: token, host name, origin and form. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import { type AdminAnswer, problem } from './answer.ts';
import type { Resource } from './resource.ts';

/** The parts of a request that the guard looks at. */
export interface Asked {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** How many Host lines there were. */
  readonly hosts: number;
}

export interface Guard {
  /** Null when the request may pass, else the refusal. */
  check(resource: Resource, asked: Asked): AdminAnswer | null;
}

/** True for an address that only this machine can reach. */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIPv4(plain) ? plain.startsWith('127.') : plain === '::1';
}

const hostName = (authority: string): string => {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(authority);
  return (bracketed?.[1] ?? authority.replace(/:\d*$/, '')).toLowerCase();
};

/**
 * True for names that no attacker's DNS can point here: an address has no DNS, and browsers resolve
 * `localhost` (RFC 6761 section 6.3) by themselves.
 */
const isLocalName = (name: string) => name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0;

const digest = (text: string) => createHash('sha256').update(text).digest();

const bearer = (header: string) => /^bearer +([^\s]+) *$/i.exec(header)?.[1] ?? '';

const WITHOUT_TOKEN =
  'The admin server can be reached from other machines and has no token, so only /metrics, /healthz and /readyz ' +
  'are served here. Let it listen on 127.0.0.1 (admin: 127.0.0.1:8081), or give it a token.';

const NEEDS_TOKEN = 'Send the token as "authorization: Bearer TOKEN".';
const CHALLENGE = { 'www-authenticate': 'Bearer realm="snowgate admin"' };

/**
 * Makes a guard.
 * @param loopback whether the address that is listened on is a loopback address
 * @param token null when none is configured
 */
export function createGuard(loopback: boolean, token: string | null): Guard {
  const expected = token === null ? null : digest(token);

  const checkToken = (header: string | undefined): AdminAnswer | null => {
    if (expected === null) return loopback ? null : problem(403, WITHOUT_TOKEN);
    // On loopback the token may be left out; a wrong one is refused all the same.
    if (header === undefined) return loopback ? null : problem(401, NEEDS_TOKEN, CHALLENGE);
    if (timingSafeEqual(digest(bearer(header)), expected)) return null;
    return problem(401, NEEDS_TOKEN, CHALLENGE);
  };

  const checkHost = (asked: Asked): AdminAnswer | null => {
    if (asked.hosts !== 1) return problem(400, 'Exactly one Host field is needed.');
    // A page whose name was re-pointed to 127.0.0.1 (DNS rebinding) still sends its own name.
    if (!loopback || isLocalName(hostName(asked.headers.host ?? ''))) return null;
    return problem(421, 'On a loopback address, ask for localhost or an IP address.');
  };

  const checkOrigin = (asked: Asked): AdminAnswer | null => {
    const { origin, host } = asked.headers;
    if (origin === undefined || origin === `http://${host}`) return null;
    return problem(403, 'Requests from other web pages are refused.');
  };

  const checkForm = (asked: Asked): AdminAnswer | null => {
    // A page can post a form anywhere without being asked, but can neither choose this type nor add a header.
    const type = (asked.headers['content-type'] ?? '').replace(/;.*/s, '').trim().toLowerCase();
    const own = type === 'application/json' || asked.headers['x-snowgate'] !== undefined;
    if (own || asked.headers.authorization !== undefined) return null;
    return problem(415, 'Send "content-type: application/json" or the header "x-snowgate: 1".');
  };

  return {
    check(resource, asked) {
      const refused = checkHost(asked);
      if (refused !== null || resource.open) return refused;
      return (
        checkOrigin(asked) ??
        checkToken(asked.headers.authorization) ??
        (asked.method === 'POST' ? checkForm(asked) : null)
      );
    },
  };
}
