/** An issuer of tokens in tests: its keys, tokens of every kind, and a server that publishes the keys or fails to. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { onTestFinished } from 'vitest';

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  /** The public half, named and for its algorithm. */
  readonly jwk: JWK;
  readonly pem: string;
  readonly privateKey: CryptoKey;
}

/** Makes a key pair of an algorithm. */
export async function signingKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, jwk, pem: await exportSPKI(publicKey), privateKey };
}

export const ISSUER = 'https://idp.example/';
const HOUR_SECONDS = 3600;

/** Claims that a gateway whose wall clock says `nowMs` takes. */
export const goodClaims = (nowMs = Date.now(), more: Record<string, unknown> = {}) => {
  const now = Math.floor(nowMs / 1000);
  return { iss: ISSUER, sub: 'alice', aud: 'orders', iat: now, exp: now + HOUR_SECONDS, ...more };
};

/** Signs claims as they are, undefined ones left out. */
export function signToken(
  key: SigningKey,
  claims: Record<string, unknown> = goodClaims(),
  header: Record<string, unknown> = {},
): Promise<string> {
  const all = { alg: key.alg, typ: 'JWT', kid: key.kid, ...header };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(claims).setProtectedHeader(given as { alg: string }).sign(key.privateKey);
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs texts that no honest library would: any header, any payload. */
export async function signRaw(key: SigningKey, header: string, payload: string): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`;
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = await crypto.subtle.sign(algorithm, key.privateKey, Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

/** Signs by HMAC with a text as the secret. */
export function signHmac(secret: string, claims: unknown, header: Record<string, unknown> = {}): string {
  const input = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export interface IssuerServer {
  readonly url: string;
  /** How often the keys were asked for. */
  readonly fetches: number;
  keys: readonly SigningKey[];
  /** Answers instead of the keys; null answers them. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void) | null;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Starts an issuer that publishes its keys, by discovery too; gone after the test. */
export async function startIssuer(...keys: SigningKey[]): Promise<IssuerServer> {
  const sockets = new Set<Socket>();
  let port = 0;
  const state = { fetches: 0 };
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }));
      return;
    }
    state.fetches++;
    if (issuer.instead !== null) issuer.instead(request, response);
    else response.end(JSON.stringify({ keys: issuer.keys.map((key) => key.jwk) }));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const issuer: IssuerServer = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    get fetches() {
      return state.fetches;
    },
    keys,
    instead: null,
    start: () =>
      new Promise((resolve) =>
        server.listen(port, '127.0.0.1', () => {
          port = (server.address() as AddressInfo).port;
          resolve();
        }),
      ),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  await issuer.start();
  onTestFinished(() => (server.listening ? issuer.stop() : undefined));
  return issuer;
}
