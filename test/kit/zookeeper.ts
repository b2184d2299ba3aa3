/** Real ZooKeeper servers for tests: one, or an ensemble of them, on free ports, with short ticks. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { ACL, createClient, Id, Permission } from 'node-zookeeper-client';
import { onPath } from './server-cache.ts';
import { freePorts, type ServerProcess, startServer } from './server-process.ts';

/** Where Debian's `zookeeper` keeps its jars, among others. */
const JARS = '/usr/share/java';

/** Why tests with ZooKeeper can't run here, or null. */
export const ZOOKEEPER_MISSING =
  onPath('java') === null || !existsSync(join(JARS, 'zookeeper.jar'))
    ? 'no ZooKeeper: on Debian, "apt-get install zookeeper" brings it'
    : null;

export interface TestZooKeeper {
  /** `127.0.0.1:PORT` of each server. */
  readonly addresses: readonly string[];
  readonly servers: readonly ServerProcess[];
  /** Which of an ensemble follow another one, by their index. */
  followers(): Promise<number[]>;
  /** Kills all of them and starts them again without their data. */
  restartEmpty(): Promise<void>;
  /** Ends them and removes what they left. */
  close(): Promise<void>;
}

/** The answer to one of ZooKeeper's four-letter words. */
const ask = async (port: number, word: string): Promise<string> => {
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(1_000, () => socket.destroy(new Error('no answer')));
  socket.write(word);
  return await text(socket);
};

/**
 * Starts ZooKeeper; sessions may last 1 to 10 s.
 * @param count of servers; three make the smallest ensemble that survives the loss of one
 */
export async function startZooKeeper(count = 1): Promise<TestZooKeeper> {
  const folder = mkdtempSync(join(tmpdir(), 'snowgate-zookeeper-'));
  const ports = await freePorts(count * 3);
  const members = Array.from({ length: count }, (_, index) => ports.slice(index * 3, index * 3 + 3));
  const ensemble =
    count === 1
      ? []
      : members.map(([, quorum, election], index) => `server.${index + 1}=127.0.0.1:${quorum}:${election}`);

  const prepare = (index: number) => {
    const data = join(folder, `data-${index}`);
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    writeFileSync(join(data, 'myid'), String(index + 1));
  };

  const launch = (port: number, index: number): Promise<ServerProcess> => {
    prepare(index);
    const config = join(folder, `zoo-${index}.cfg`);
    const lines = [
      'tickTime=500',
      'initLimit=20',
      'syncLimit=4',
      `dataDir=${join(folder, `data-${index}`)}`,
      'clientPortAddress=127.0.0.1',
      `clientPort=${port}`,
      'admin.enableServer=false',
      '4lw.commands.whitelist=*',
      ...ensemble,
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    return startServer({
      name: 'zookeeper',
      command: 'java',
      args: ['-Xmx128m', '-cp', `${JARS}/*`, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', config],
      ready: async () => /^Mode: /m.test(await ask(port, 'srvr')),
    });
  };

  const servers = await Promise.all(members.map(([port = 0], index) => launch(port, index)));
  const endAll = () => Promise.all(servers.map((server) => server.kill()));
  return {
    addresses: members.map(([port]) => `127.0.0.1:${port}`),
    servers,
    async followers() {
      const modes = await Promise.all(members.map(([port = 0]) => ask(port, 'srvr')));
      return [...modes.keys()].filter((index) => /^Mode: follower/m.test(modes[index] ?? ''));
    },
    async restartEmpty() {
      await endAll();
      for (const index of servers.keys()) prepare(index);
      await Promise.all(servers.map((server) => server.start()));
    },
    async close() {
      await endAll();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A client of the library's own, for the hands of a test. */
export interface ZooKeeperHands {
  /** Makes a node, and those above it, or changes what it holds. */
  put(path: string, data: string): Promise<void>;
  remove(path: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  read(path: string): Promise<string>;
  /** Lets nobody but `user:password` read or change it. */
  reserve(path: string, digest: string): Promise<void>;
  close(): void;
}

/** Connects to one server. */
export function zooKeeperHands(address: string): ZooKeeperHands {
  const client = createClient(address, { sessionTimeout: 10_000 });
  client.connect();
  const stat = promisify(
    client.exists.bind(client) as (path: string, done: (error: unknown) => void) => void,
  );
  const exists = async (path: string) => Boolean((await stat(path)) ?? null);
  return {
    exists,
    read: async (path) =>
      String(await promisify<Buffer>((done) => client.getData(path, (error, data) => done(error, data)))()),
    async put(path, data) {
      const bytes = Buffer.from(data);
      if (await exists(path))
        await promisify<void>((done) => client.setData(path, bytes, (error) => done(error, undefined)))();
      else await promisify<void>((done) => client.mkdirp(path, bytes, (error) => done(error, undefined)))();
    },
    remove: promisify<string, void>((path, done) => client.remove(path, (error) => done(error, undefined))),
    async reserve(path, digest) {
      client.addAuthInfo('digest', Buffer.from(digest));
      const acl = [new ACL(Permission.ALL, new Id('auth', ''))];
      await promisify<void>((done) => client.setACL(path, acl, (error) => done(error, undefined)))();
    },
    close: () => client.close(),
  };
}

/** Connects, uses and lets go: for servers that come and go between two uses. */
export async function withZooKeeper<T>(
  address: string,
  use: (hands: ZooKeeperHands) => Promise<T>,
): Promise<T> {
  const hands = zooKeeperHands(address);
  try {
    return await use(hands);
  } finally {
    hands.close();
  }
}
