/** The session with ZooKeeper: it outlives silent servers, and knows in time when it has not. */
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type SessionListener, ZooKeeperSession } from '../../src/clients/zookeeper.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { describeWith } from '../kit/describe-with.ts';
import { until } from '../kit/gateway.ts';
import { startRelay } from '../kit/relay.ts';
import { startRubbish } from '../kit/rubbish.ts';
import { freePorts } from '../kit/server-process.ts';
import { startZooKeeper, type TestZooKeeper, withZooKeeper, ZOOKEEPER_MISSING } from '../kit/zookeeper.ts';

const SESSION_MS = 3_000;

interface Told {
  readonly what: string;
  readonly atMs: number;
}

const openSession = (ports: readonly number[]) => {
  const session = new ZooKeeperSession({
    servers: ports.map((port) => ({ host: '127.0.0.1', port })),
    sessionMs: SESSION_MS,
    digest: null,
    clock: systemClock,
    random: systemRandom,
  });
  onTestFinished(() => session.close());
  const told: Told[] = [];
  const tell = (what: string) => void told.push({ what, atMs: performance.now() });
  const listener: SessionListener = {
    connected: (fresh) => tell(fresh ? 'begun' : 'back'),
    suspended: (error) => tell(`suspended: ${error.message}`),
    lost: () => tell('lost'),
  };
  session.subscribe(listener);
  const hears = (what: string) => until(() => told.some((each) => each.what === what), what);
  return { session, told, hears, heard: () => told.map(({ what }) => what.split(':')[0]) };
};

const portsOf = ({ addresses }: TestZooKeeper) => addresses.map((address) => Number(address.split(':')[1]));

describeWith('zookeeper session', ZOOKEEPER_MISSING, () => {
  let zookeeper: TestZooKeeper;
  let port: number;
  beforeAll(async () => {
    zookeeper = await startZooKeeper();
    [port = 0] = portsOf(zookeeper);
  });
  afterAll(() => zookeeper?.close());
  const address = () => zookeeper.addresses[0]!;

  test('nodes are made, read, watched and taken away', async () => {
    const { session } = openSession([port]);
    await session.ready(5_000);
    expect(await session.exists('/made')).toBe(false);
    expect(await session.data('/made')).toBeNull();
    expect(await session.children('/made')).toBeNull();
    let changes = 0;
    const changed = () => void changes++;
    await session.exists('/made/by/us', changed);
    expect(await session.create('/made/by/us', Buffer.from('x'), 'persistent')).toBe('/made/by/us');
    await until(() => changes === 1, 'a change');
    expect(String(await session.data('/made/by/us', changed))).toBe('x');
    await withZooKeeper(address(), (hands) => hands.put('/made/by/us', 'y'));
    await until(() => changes === 2, 'a second change');
    expect(await session.children('/made/by')).toEqual(['us']);
    const one = await session.create('/made/queue/n-', Buffer.alloc(0), 'ephemeral-sequential');
    const two = await session.create('/made/queue/n-', Buffer.alloc(0), 'ephemeral-sequential');
    expect([one, two]).toEqual(['/made/queue/n-0000000000', '/made/queue/n-0000000001']);
    expect(await session.remove(one)).toBe(true);
    expect(await session.remove(one)).toBe(false);
    await expect(session.data('no path')).rejects.toThrow(/path/i);
    await expect(session.create('/made/by/us', Buffer.alloc(0), 'persistent')).rejects.toThrow(/NODE_EXISTS/);
  });

  test('a watch that is forgotten is not called, and two who wait for one node both are', async () => {
    const { session } = openSession([port]);
    await session.ready(5_000);
    await session.create('/watched', Buffer.alloc(0), 'ephemeral');
    const calls: string[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map((name) => () => void calls.push(name)) as [
      () => void,
      () => void,
      () => void,
    ];
    for (const changed of [a, b, c]) await session.data('/watched', changed);
    session.forget(b);
    await session.remove('/watched');
    await until(() => calls.length === 2, 'two calls');
    expect(calls).toEqual(['a', 'c']);
  });

  test('closing it takes its ephemeral nodes away at once', async () => {
    const { session } = openSession([port]);
    await session.ready(5_000);
    await session.create('/ephemeral', Buffer.alloc(0), 'ephemeral');
    await session.close();
    expect(await withZooKeeper(address(), (hands) => hands.exists('/ephemeral'))).toBe(false);
  });

  test('behind a network that swallows everything it ends before the server ends it, and begins anew after', async () => {
    const relay = await startRelay(port);
    const { session, hears, heard, told } = openSession([relay.port]);
    await session.ready(5_000);
    await session.create('/held', Buffer.alloc(0), 'ephemeral');
    const other = openSession([port]);
    await other.session.ready(5_000);
    await other.session.exists('/held', () => told.push({ what: 'gone', atMs: performance.now() }));
    relay.swallow();
    const swallowedMs = performance.now();
    const pending = session.data('/held');
    pending.catch(() => undefined);
    await hears('lost');
    expect(session.live).toBe(false);
    const lostAfterMs = (told.find(({ what }) => what === 'lost')?.atMs ?? 0) - swallowedMs;
    expect(lostAfterMs, 'milliseconds').toBeLessThan(SESSION_MS);
    await expect(pending).rejects.toThrow(/connection|CONNECTION_LOSS/);
    await expect(session.data('/held')).rejects.toThrow('there is no connection to ZooKeeper');
    relay.pass();
    await until(() => heard().filter((what) => what === 'begun').length === 2, 'a new session');
    expect(session.live).toBe(true);
    await hears('gone');
    // Nobody else could have got what the session held before it knew that it was lost.
    expect(heard().indexOf('lost')).toBeLessThan(heard().indexOf('gone'));
    expect(heard().slice(0, 3)).toEqual(['begun', 'suspended', 'lost']);
  });

  test('a server that stands still for longer than the session is noticed, and a new session begins after', async () => {
    const { session, hears, heard } = openSession([port]);
    await session.ready(5_000);
    zookeeper.servers[0]?.freeze();
    onTestFinished(() => zookeeper.servers[0]?.thaw());
    await hears('lost');
    zookeeper.servers[0]?.thaw();
    await until(() => heard().at(-1) === 'begun' && session.live, 'a new session');
    expect(await session.exists('/')).toBe(true);
  });

  test('a process that stood still itself does not take its old session for alive', async () => {
    // The clock stands for the process: time passes and nothing runs.
    const clock = { ...systemClock, ahead: 0, nowMs: () => systemClock.nowMs() + clock.ahead };
    const session = new ZooKeeperSession({
      servers: [{ host: '127.0.0.1', port }],
      sessionMs: SESSION_MS,
      digest: null,
      clock,
      random: systemRandom,
    });
    onTestFinished(() => session.close());
    await session.ready(5_000);
    expect(session.live).toBe(true);
    clock.ahead += SESSION_MS;
    expect(session.live).toBe(false);
  });

  test('where nobody listens, and where something else does, is told, and the right server is used when it comes', async () => {
    const [nobody = 0, other = 0] = await freePorts(2);
    const http = 'HTTP/1.1 400 Bad Request\r\n\r\n';
    onTestFinished(await startRubbish(other, http));
    const lonely = openSession([nobody]);
    await until(() => lonely.told.length > 0, 'silence');
    expect(lonely.told[0]?.what).toBe(`suspended: no ZooKeeper server answers at 127.0.0.1:${nobody}`);
    await expect(lonely.session.ready(10)).rejects.toThrow(
      `no ZooKeeper server answers at 127.0.0.1:${nobody}`,
    );
    const both = openSession([nobody, other, port]);
    await both.hears('begun');
  });

  test('closed before it ever began, it leaves nothing that goes on trying', async () => {
    const [nobody = 0] = await freePorts(1);
    const { session } = openSession([nobody]);
    await session.close();
    let knocks = 0;
    const server = createServer(() => knocks++);
    await new Promise<void>((resolve) => server.listen(nobody, '127.0.0.1', resolve));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    server.close();
    // One that was under way when it was closed is cut as soon as it stands.
    expect(knocks).toBeLessThanOrEqual(1);
  });
});

describeWith('zookeeper ensemble', ZOOKEEPER_MISSING, () => {
  let zookeeper: TestZooKeeper;
  beforeAll(async () => {
    zookeeper = await startZooKeeper(3);
  });
  afterAll(() => zookeeper?.close());

  /** Behind which relay the server is that the session is connected to. */
  const usedBy = async (relays: readonly { readonly said: readonly string[] }[]) => {
    const before = relays.map(({ said }) => said.length);
    const talking = () => relays.findIndex(({ said }, at) => said.length > before[at]!);
    await until(() => talking() !== -1, 'a probe');
    return talking();
  };

  test('a session moves to another server when its own is killed or stands still, and keeps its nodes', async () => {
    // Without the leader, whose loss would cost an election.
    const followers = await zookeeper.followers();
    const ports = portsOf(zookeeper);
    const relays = await Promise.all(followers.map((index) => startRelay(ports[index] ?? 0)));
    const inUse = async () => zookeeper.servers[followers[await usedBy(relays)] ?? 0];
    const { session, heard, told } = openSession(relays.map(({ port }) => port));
    await session.ready(5_000);
    await session.create('/kept', Buffer.alloc(0), 'ephemeral');
    const backs = () => heard().filter((what) => what === 'back').length;

    const killed = await inUse();
    await killed?.kill();
    await until(() => backs() === 1 && session.connected, 'back after a kill');
    expect(await session.exists('/kept')).toBe(true);
    await killed?.start();

    const frozen = await inUse();
    const frozenMs = performance.now();
    frozen?.freeze();
    await until(() => backs() === 2 && session.connected, 'back after a freeze');
    expect((told.at(-1)?.atMs ?? 0) - frozenMs, 'milliseconds').toBeLessThan(SESSION_MS);
    expect(await session.exists('/kept')).toBe(true);
    frozen?.thaw();
    expect(heard()).not.toContain('lost');
  });
});
