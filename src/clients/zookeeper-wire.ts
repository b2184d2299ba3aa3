/** One client of node-zookeeper-client, with its edges covered: what it throws at nobody, and what it never ends. */
import type { Socket } from 'node:net';
import { type Client, createClient, State } from 'node-zookeeper-client';
import type { Clock } from '../kernel/clock.ts';

export interface WireServer {
  readonly host: string;
  readonly port: number;
}

/** What we reach into, since the library's own surface has no way to cut a connection or to bound an answer. */
interface Manager {
  servers: readonly WireServer[];
  socket?: Socket;
  pendingBuffer: Buffer | null;
  connect(): void;
  onSocketConnected(): void;
  onSocketData(chunk: Buffer): void;
}

export interface Wire {
  readonly client: Client;
  /** The socket of this moment: another object after each try to connect. */
  readonly socket: Socket | undefined;
  /** When the connection in use said hello: no later than the server's clock of the session began to run. */
  readonly helloMs: number;
  /** Cuts the connection. The library goes on to the next server, in the same session. */
  cut(): void;
  /** Says goodbye, for which a server has `graceMs`, so that the session ends now and not when its time is over. */
  end(graceMs: number): Promise<void>;
  /** Cuts the connection for good and leaves the session to its time. */
  drop(): void;
}

export interface WireOptions {
  /** Asked in this order, round and round. */
  readonly servers: readonly WireServer[];
  readonly sessionMs: number;
  readonly clock: Clock;
  /** What came cannot be understood; the connection was cut. */
  readonly fault: (error: Error) => void;
}

/** ZooKeeper's own limit of an answer is 1 MiB, and of a request 4 (jute.maxbuffer). */
const MOST_BYTES = 16 * 1024 * 1024;
/** After a round through all servers the library waits up to that long. */
const ROUND_DELAY_MS = 1_000;

/** Makes a client that does not connect yet. */
export function createWire({ servers, sessionMs, clock, fault }: WireOptions): Wire {
  const addresses = servers.map(({ host, port }) => `${host}:${port}`).join(',');
  const client = createClient(addresses, { sessionTimeout: sessionMs, spinDelay: ROUND_DELAY_MS });
  const manager = (client as Client & { readonly connectionManager: Manager }).connectionManager;
  // Left to itself it takes IPv6 apart at the first colon.
  manager.servers = servers;
  let helloMs = clock.nowMs();
  let over = false;

  // With an error: only that ends the library's timer for connecting, which would cut the next connection.
  const cut = () => void manager.socket?.destroy(new Error('cut'));

  const read = manager.onSocketData;
  const readBounded = (chunk: Buffer) => {
    // What is no ZooKeeper may announce gigabytes, or codes at which the library throws on nobody's stack.
    try {
      if ((manager.pendingBuffer?.length ?? 0) + chunk.length > MOST_BYTES)
        throw new Error(`an answer is larger than ${MOST_BYTES} bytes`);
      read.call(manager, chunk);
    } catch (error) {
      manager.pendingBuffer = null;
      cut();
      fault(error as Error);
    }
  };
  const greet = manager.onSocketConnected;
  const greetOnce = () => {
    helloMs = clock.nowMs();
    // What was left of the last connection would be read as the beginning of this one.
    manager.pendingBuffer = null;
    if (over) cut();
    else greet.call(manager);
  };
  manager.onSocketData = readBounded;
  manager.onSocketConnected = greetOnce;

  // The library goes on connecting after it was closed before a server had answered.
  const stayAway = () => {};
  const stop = () => {
    over = true;
    manager.connect = stayAway;
    client.removeAllListeners();
  };

  return {
    client,
    get socket() {
      return manager.socket;
    },
    get helloMs() {
      return helloMs;
    },
    cut,
    async end(graceMs) {
      const { socket } = manager;
      const connected = client.getState() === State.SYNC_CONNECTED;
      stop();
      if (!connected || socket === undefined || socket.destroyed) return cut();
      const timer = clock.after(graceMs, cut);
      client.close();
      await new Promise<void>((closed) => socket.once('close', () => closed()));
      timer.cancel();
    },
    drop() {
      stop();
      cut();
    },
  };
}
