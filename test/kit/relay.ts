/** A TCP relay in front of a server that can swallow everything, as a broken network does, or hold it back for a while. */
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Relay {
  readonly port: number;
  /** What clients sent, piece by piece. */
  readonly said: readonly string[];
  /** Nothing passes any more, in either direction; connections stay open and new ones are accepted. */
  swallow(): void;
  /** New connections pass again; those that lost bytes stay as they are, as behind a broken network. */
  pass(): void;
  /** Holds back each piece that the server sends. */
  delayMs: number;
}

/** Starts a relay to a port of this machine. */
export async function startRelay(to: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let swallowing = false;
  const said: string[] = [];
  const relay = { port: 0, said, delayMs: 0, swallow: () => {}, pass: () => {} };
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    let lost = false;
    const isLost = () => {
      lost ||= swallowing;
      return lost;
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      said.push(chunk.toString('latin1'));
      if (!isLost()) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (isLost()) return;
      if (relay.delayMs === 0) client.write(chunk);
      else setTimeout(() => client.writable && client.write(chunk), relay.delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  relay.port = (server.address() as { port: number }).port;
  relay.swallow = () => {
    swallowing = true;
  };
  relay.pass = () => {
    swallowing = false;
  };
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return relay;
}
