/** Tokens of a hundred subjects, the keys they are checked with, and the load that carries them in turn. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';

export const ISSUER = 'https://idp.example/';
export const SUBJECTS: readonly string[] = Array.from({ length: 100 }, (_, at) => `user-${at}`);

export interface Tokens {
  /** A key set, and the same key as PEM. */
  readonly jwks: string;
  readonly jwksFile: string;
  readonly pemFile: string;
  /** For wrk: each request carries the next subject's token. */
  readonly script: string;
}

/** Makes an RSA key and RS256 tokens that hold for an hour, with their files in the folder. */
export async function createTokens(folder: string): Promise<Tokens> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  const jwks = JSON.stringify({ keys: [{ ...jwk, kid, alg: 'RS256', use: 'sig' }] });
  const mint = (sub: string) =>
    new SignJWT({ plan: 'free' })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
      .setSubject(sub)
      .setIssuer(ISSUER)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  const tokens = await Promise.all(SUBJECTS.map(mint));
  const files = {
    jwksFile: join(folder, 'jwks.json'),
    pemFile: join(folder, 'key.pem'),
    script: join(folder, 'tokens.lua'),
  };
  writeFileSync(files.jwksFile, jwks);
  writeFileSync(files.pemFile, await exportSPKI(publicKey));
  writeFileSync(files.script, scriptOf(tokens));
  return { jwks, ...files };
}

// The requests are formatted once: wrk's own core must not become the limit.
const scriptOf = (tokens: readonly string[]) => `
local requests, at = {}, 0
function init()
  for _, token in ipairs({${tokens.map((token) => JSON.stringify(token)).join(',')}}) do
    requests[#requests + 1] = wrk.format('GET', '/', { ['authorization'] = 'Bearer ' .. token })
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`;
