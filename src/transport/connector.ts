/** Opens one socket to an endpoint, plain or TLS, in a way that can be given up at any moment. */
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls, createSecureContext } from 'node:tls';
import type { GatewayError } from '../kernel/errors.ts';
import type { EndpointSpec } from '../wire/endpoint.ts';
import { connectFailure } from './failures.ts';

export interface UpstreamTls {
  /** PEM; null trusts the usual authorities. */
  readonly ca: string | null;
  /** PEM of the client certificate and its key, both or neither. */
  readonly cert: string | null;
  readonly key: string | null;
  /** The name to ask for and to check; null for the endpoint's host. */
  readonly serverName: string | null;
  readonly verify: boolean;
}

/** Who waits for a socket; one of the two is called, unless the socket is destroyed first. */
export interface Opening {
  opened(): void;
  openFailed(error: GatewayError): void;
}

export interface Connector {
  /**
   * Begins to connect. To give up, mark the opening as not interested and destroy the socket.
   * @param reader takes the bytes instead of the socket's `data` events
   */
  open(to: Opening, reader?: Reader): Socket;
}

export interface Reader {
  /**
   * @param bytes hold the next read, of whatever connection, once this returns
   * @param end how many of them are meant
   * @returns false to pause the socket, which goes on by its `resume`
   */
  receive(bytes: Buffer, end: number): boolean;
}

const DEFAULT_TLS: UpstreamTls = { ca: null, cert: null, key: null, serverName: null, verify: true };
const TCP_KEEP_ALIVE_MS = 60_000;

/** Plain sockets all read into this, one at a time: nothing is allocated for what is only looked at. */
const landing = Buffer.allocUnsafeSlow(65_536);

const plain = (to: TcpNetConnectOpts, reader: Reader | undefined): Socket =>
  connectTcp(
    reader === undefined
      ? to
      : { ...to, onread: { buffer: landing, callback: (end: number) => reader.receive(landing, end) } },
  );

/** TLS brings buffers of its own. */
const read = (socket: Socket, reader: Reader | undefined): Socket =>
  reader === undefined
    ? socket
    : socket.on('data', (bytes: Buffer) => {
        if (!reader.receive(bytes, bytes.length)) socket.pause();
      });

const watch = (socket: Socket, event: 'connect' | 'secureConnect', to: Opening): Socket => {
  const failed = (error: Error) => {
    socket.off(event, done);
    to.openFailed(connectFailure(error, socket));
  };
  const done = () => {
    socket.off('error', failed);
    to.opened();
  };
  socket.once('error', failed);
  socket.once(event, done);
  return socket;
};

/**
 * Makes the connector of one endpoint.
 * @param protocols to offer in the TLS handshake (ALPN)
 * @throws Error when a certificate or key is no valid PEM
 */
export function createConnector(
  spec: EndpointSpec,
  tls: UpstreamTls | null,
  protocols: readonly string[] = ['http/1.1'],
): Connector {
  const tcp = {
    host: spec.host,
    port: spec.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  };
  if (spec.scheme === 'http') return { open: (to, reader) => watch(plain(tcp, reader), 'connect', to) };

  const { ca, cert, key, serverName, verify } = tls ?? DEFAULT_TLS;
  const secureContext = createSecureContext({
    ...(ca === null ? null : { ca }),
    ...(cert === null ? null : { cert }),
    ...(key === null ? null : { key }),
  });
  // RFC 6066 section 3 forbids addresses as server names; the check then falls back to the host.
  const name = serverName ?? (isIP(spec.host) === 0 ? spec.host : null);
  const base: ConnectionOptions = {
    ...tcp,
    secureContext,
    rejectUnauthorized: verify,
    ALPNProtocols: [...protocols],
    ...(name === null ? null : { servername: name }),
  };
  let session: Buffer | null = null;
  return {
    open(to, reader) {
      const socket = connectTls(session === null ? base : { ...base, session });
      socket.on('session', (fresh: Buffer) => {
        session = fresh;
      });
      return watch(read(socket, reader), 'secureConnect', to);
    },
  };
}
