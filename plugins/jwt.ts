/** Lets in whoever brings a good JSON Web Token of an issuer that is trusted. */
import { definePlugin, type Exchange, type Principal, refuse, valueText } from 'snowgate/plugin';
import { bearerChallenge, invalidToken } from './_auth/bearer.ts';
import { type Problem, problem, scopesOf } from './_auth/claims.ts';
import { compileClaim, compileForward } from './_auth/forward.ts';
import { type Issuer, NoKeys } from './_auth/issuer.ts';
import { jwtConfig, openIssuers } from './_auth/jwt-config.ts';
import type { Keys } from './_auth/keys.ts';
import { clearPlaces, compilePlaces } from './_auth/places.ts';
import { type ReadToken, readToken } from './_auth/token.ts';
import { digestOf, freeze, Verified } from './_auth/verified.ts';

interface Remembered {
  readonly principal: Principal;
  readonly issuer: Issuer;
  /** What it was verified with: other keys in force, and it has to be verified again. */
  readonly keys: Keys;
  readonly untilMs: number;
}

const unknownIssuer = (iss: unknown): Problem =>
  problem('issuer', 'the token is of an issuer that is not trusted here', iss);
const NO_SUBJECT = problem('subject', 'the token names no subject');

export default definePlugin({
  name: 'jwt',
  summary: 'Lets in whoever brings a good JSON Web Token of an issuer that is trusted.',
  config: jwtConfig,
  async setup(config, host) {
    const { forwardToken, optional, realm } = config;
    const { clock } = host;
    const place = compilePlaces(config.from);
    const forwarding = compileForward(config.forward, host.instance);
    const readSubject = compileClaim(config.subject);
    const verified = new Verified<Remembered>(config.cache);
    const issuers = await openIssuers(config, host);
    const refused = host.counter('jwt_refused', 'Tokens that were not taken.', ['reason']);

    const reject = ({ reason, text, detail }: Problem) => {
      refused.add(1, { reason });
      return invalidToken(realm, text, detail);
    };

    const principalOf = (claims: ReadToken['claims']): Principal | null => {
      const known = { id: '', claims, scopes: scopesOf(claims), by: host.instance };
      const id = valueText(readSubject(known)) ?? '';
      return id === '' ? null : freeze({ ...known, id });
    };

    const verify = async (x: Exchange, token: string, read: ReadToken, issuer: Issuer) => {
      let found: Keys | Problem;
      try {
        found = await issuer.check(token, read, clock.wallMs());
      } catch (error) {
        if (!(error instanceof NoKeys)) throw error;
        return refuse('GW_AUTH_UNAVAILABLE', `no keys of ${issuer.name}`, { 'retry-after': '5' });
      }
      if ('reason' in found) return reject(found);
      const principal = principalOf(read.claims);
      if (principal === null) return reject(NO_SUBJECT);
      const untilMs = (read.claims.exp as number) * 1000 + issuer.rules.skewMs;
      verified.set(digestOf(token), { principal, issuer, keys: found, untilMs });
      x.principal = principal;
      return undefined;
    };

    /** What is known of a token that was good before, and still is. */
    const recall = (token: string): Principal | null => {
      const digest = digestOf(token);
      const known = verified.get(digest);
      if (known === undefined) return null;
      if (known.keys === known.issuer.keys && clock.wallMs() < known.untilMs) return known.principal;
      verified.delete(digest);
      return null;
    };

    return {
      optional,
      challenge: bearerChallenge(realm),
      reserves: forwarding.names,
      authenticate(x) {
        const token = place.read(x);
        if (token === undefined) return undefined;
        const known = recall(token);
        if (known !== null) {
          x.principal = known;
          return undefined;
        }
        const read = readToken(token);
        if (typeof read === 'string') return reject(problem('malformed', read));
        const { iss } = read.claims;
        const issuer = typeof iss === 'string' ? issuers.byName.get(iss) : undefined;
        return issuer === undefined ? reject(unknownIssuer(iss)) : verify(x, token, read, issuer);
      },
      request(x) {
        clearPlaces(place, x, forwardToken);
        forwarding.set(x, x.request);
      },
      explain({ principal }) {
        if (principal?.by !== host.instance) return 'no token';
        const scopes = principal.scopes.length === 0 ? '' : `, scopes ${principal.scopes.join(' ')}`;
        return `${principal.id}, by ${String(principal.claims.iss)}${scopes}`;
      },
      dispose: issuers.release,
    };
  },
});
