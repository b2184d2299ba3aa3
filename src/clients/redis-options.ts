/** How the gateway connects to Redis: whatever goes wrong is told at once, and nothing is ever sent twice. */
import { Cluster, Redis } from 'ioredis';
import { joinWrites } from './joined-writes.ts';

export interface RedisPlace {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** What the Sentinels call it; '' elsewhere. */
  readonly master: string;
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  readonly tls: boolean;
}

export type RedisClient = Redis | Cluster;

/** A connection that takes longer is none; SYNs that get lost are sent again by the next try. */
const CONNECT_MS = 1000;
/**
 * Only what the handshake may take. Those who wait for an answer have a budget of their own, which is shorter: with
 * theirs here, a server that loads its data could never be connected to.
 */
const COMMAND_MS = 1000;
/** A socket that is given up is destroyed: a peer that fell silent never answers its FIN. */
const DISCONNECT_MS = 100;
/** "Exact again within 2 s" leaves no room for a longer pause between two tries. */
const RETRY_MOST_MS = 500;

const retryMs = (times: number): number => Math.min(50 * 2 ** Math.min(times - 1, 8), RETRY_MOST_MS);

/** A demoted master refuses writes; the next connection finds the new one. The command itself is not sent again. */
const isDemoted = (error: Error): boolean => error.message.startsWith('READONLY');

const connectionOptions = (place: RedisPlace, name: string) => ({
  connectionName: name,
  connectTimeout: CONNECT_MS,
  commandTimeout: COMMAND_MS,
  disconnectTimeout: DISCONNECT_MS,
  // A queue would hand out tokens long after the requests that asked for them were answered.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
  retryStrategy: retryMs,
  reconnectOnError: isDemoted,
  ...(place.username === null ? {} : { username: place.username }),
  ...(place.password === null ? {} : { password: place.password }),
  ...(place.tls ? { tls: {} } : {}),
});

const clusterOptions = (place: RedisPlace, name: string) => ({
  redisOptions: connectionOptions(place, name),
  enableOfflineQueue: false,
  lazyConnect: true,
  // A moved slot is worth following at once; all else fails, since a later try would take tokens a second time.
  maxRedirections: 3,
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  retryDelayOnTryAgain: 5,
  slotsRefreshTimeout: CONNECT_MS,
  slotsRefreshInterval: CONNECT_MS,
  clusterRetryStrategy: retryMs,
});

/** Makes each connection of a server's client cheap to use, once it stands. */
export function prepareNode(node: Redis): void {
  node.on('ready', () => {
    joinWrites(node.stream);
    // ioredis listens for the end once for each command that a demoted master refuses, however many are under way.
    node.stream.setMaxListeners(0);
    // A timer for each command: from here on those who ask have their own time.
    node.options.commandTimeout = undefined;
  });
  node.on('close', () => {
    node.options.commandTimeout = COMMAND_MS;
  });
}

/** Makes a client that is not connected yet. */
export function createRedisClient(place: RedisPlace, name: string): RedisClient {
  const nodes = place.nodes.map(({ host, port }) => ({ host, port }));
  if (place.kind === 'cluster') return new Cluster(nodes, clusterOptions(place, name));
  const options = { ...connectionOptions(place, name), db: place.db };
  if (place.kind === 'single') return new Redis({ ...options, ...nodes[0]! });
  return new Redis({
    ...options,
    sentinels: nodes,
    name: place.master,
    sentinelRetryStrategy: retryMs,
    // Told of a new master by the Sentinels instead of finding out by failures.
    failoverDetector: true,
    enableTLSForSentinelMode: place.tls,
  });
}
