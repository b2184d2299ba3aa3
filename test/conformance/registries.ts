/**
 * What every registry must keep, shown through a whole gateway under load with the real server behind it: what the
 * registry says is in use within its natural delay, and nothing that happens to the registry fails a request.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { describeWith } from '../kit/describe-with.ts';
import { startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { type Origin, startOrigin } from '../kit/gateway-origin.ts';

/** One instance to be entered; its host is 127.0.0.1 and it speaks http. */
export interface Instance {
  readonly id: string;
  readonly port: number;
  readonly weight: number;
}

/** A real server of one kind, running, empty, and gone when the test ends. */
export interface RegistryServer {
  /** The keys under `registries.NAME`, as flow YAML without braces: `type: consul, address: http://127.0.0.1:1`. */
  readonly settings: string;
  /** The value of `discover` for a service, where `NAME/service` is not it. */
  discover?(registry: string, service: string): string;
  /** Called with each gateway once it runs, for kinds that have no server but the gateway. */
  attach?(gateway: TestGateway): void;
  /** Enters an instance, or changes its weight. */
  put(service: string, instance: Instance): Promise<void>;
  /** Says that an instance shall get no new requests; null where the registry has no such thing. */
  readonly drain: ((service: string, id: string) => Promise<void>) | null;
  remove(service: string, id: string): Promise<void>;
  /** What can be done to the server; of no use where the adapter's `trouble` is `none`. */
  readonly faults: RegistryFaults;
}

export interface RegistryFaults {
  /** Ends it as kill -9 does. */
  kill(): Promise<void>;
  /** Stops it as SIGSTOP does: connections stand and nothing answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Starts it again at the same address, without anything that it knew. */
  restartEmpty(): Promise<void>;
  /** Puts something at its address that answers what nobody can read. Ended by `restartEmpty`. */
  rubbish(): Promise<void>;
}

export interface RegistryAdapter {
  readonly name: string;
  /** Why it cannot be had here; null when it can. */
  readonly skip: string | null;
  /** `none`: it is part of the gateway; `no-freeze`: it can be ill, but there is no process to stop. */
  readonly trouble: 'none' | 'no-freeze' | 'all';
  /** Longest time until a change in the server is in use by the gateway. */
  readonly delayMs: number;
  /** Longest time until a server that is gone, frozen or ill is noticed. */
  readonly noticeMs: number;
  start(): Promise<RegistryServer>;
}

/** Long enough for all that a registry does; a test fails earlier by what it waits for. */
const TEST_MS = 120_000;
const CONFIRM = '2s';

interface Setting {
  readonly server: RegistryServer;
  readonly gateway: TestGateway;
  readonly a: Origin;
  readonly b: Origin;
  readonly c: Origin;
  /** `port weight` of what is in use, in the order of the ports' letters. */
  used(): string;
  /** Waits until `used` is this. */
  becomes(wanted: string, ms: number): Promise<void>;
  age(): Promise<number>;
}

const patience = async (
  what: string | (() => string),
  ms: number,
  condition: () => boolean | Promise<boolean>,
) => {
  const over = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > over)
      throw new Error(`waited ${ms} ms in vain: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const stateFolder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'snowgate-registry-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

const startBefore = async (server: RegistryServer, stateDir: string): Promise<TestGateway> => {
  const discover = server.discover?.('known', 'orders') ?? 'known/orders';
  const unknown = server.discover?.('known', 'nobody') ?? 'known/nobody';
  const gateway = await startTestGateway(`
stateDir: ${stateDir}
trustedProxies: 127.0.0.1
registries:
  known: { ${server.settings}, confirm: ${CONFIRM} }
upstreams:
  orders: { discover: ${discover} }
  nobody: { discover: ${unknown} }
routes:
  - { path: /orders, upstream: orders }
  - { path: /nobody, upstream: nobody }
`);
  server.attach?.(gateway);
  return gateway;
};

const settingOf = async (
  server: RegistryServer,
  gateway: TestGateway,
  origins: Origin[],
): Promise<Setting> => {
  const [a, b, c] = origins as [Origin, Origin, Origin];
  const letters = new Map(origins.map((origin, at) => [origin.endpoint, 'abc'[at]!]));
  const used = () =>
    gateway.gateway
      .describeUpstreams()
      .find((upstream) => upstream.name === 'orders')!
      .endpoints.map(({ endpoint, weight }) => `${letters.get(endpoint)}${weight}`)
      .sort()
      .join(' ');
  return {
    server,
    gateway,
    a,
    b,
    c,
    used,
    becomes: (wanted, ms) =>
      patience(
        () => `${wanted}, last ${used()}`,
        ms,
        () => used() === wanted,
      ),
    age: async () =>
      (await gateway.series()).get('snowgate_registry_age_seconds{registry="known",upstream="orders"}')!,
  };
};

const startOrigins = () => Promise.all([startOrigin(), startOrigin(), startOrigin()]);

const inFlight = ({ gateway }: TestGateway, { endpoint }: Origin): number =>
  gateway
    .describeUpstreams()
    .flatMap((upstream) => upstream.endpoints)
    .filter((each) => each.endpoint === endpoint)
    .reduce((sum, each) => sum + each.inFlight, 0);

/** Asks without a pause until stopped, and gives how many answers were not 200. */
const steadyLoad = (gateway: TestGateway) => {
  const failed: string[] = [];
  let asked = 0;
  let on = true;
  const loop = async () => {
    while (on) {
      const answer = await gateway.ask('/orders');
      asked++;
      if (answer.status !== 200) failed.push(`${answer.status} ${answer.headers['proxy-status']}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const running = Promise.all([loop(), loop()]);
  // A test that fails before it stops the load must not leave it to the next.
  onTestFinished(async () => {
    on = false;
    await running.catch(() => undefined);
  });
  return async () => {
    on = false;
    await running;
    expect(asked).toBeGreaterThan(0);
    expect(failed.slice(0, 3), `of ${asked} requests`).toEqual([]);
  };
};

/** Runs the suite against one kind. */
export function registryConformance(adapter: RegistryAdapter): void {
  const { delayMs, noticeMs } = adapter;
  const { name, skip } = adapter;
  const options = { timeout: TEST_MS };

  /** The server with a, b and c entered, and a gateway that uses all three. */
  const begin = async (): Promise<Setting> => {
    const [server, origins] = [await adapter.start(), await startOrigins()];
    const gateway = await startBefore(server, stateFolder());
    const setting = await settingOf(server, gateway, origins);
    for (const [at, { port }] of origins.entries())
      await server.put('orders', { id: `i-${at + 1}`, port, weight: 1 });
    // How long a server takes to start is not what is measured here.
    await setting.becomes('a1 b1 c1', delayMs + 20_000);
    return setting;
  };

  /** Begins, does something to the server, and shows that nobody notices but those who watch the metrics. */
  const survives = async (fault: (faults: RegistryFaults) => Promise<void>) => {
    const setting = await begin();
    const faults = setting.server.faults;
    const stop = steadyLoad(setting.gateway);
    await fault(faults);
    await patience('the age of the last good answer', noticeMs + 5000, async () => (await setting.age()) > 0);
    expect(setting.used()).toBe('a1 b1 c1');
    return { ...setting, faults, stop };
  };

  const enterAgain = async ({ server, a, b, c }: Setting) => {
    for (const [at, { port }] of [a, b, c].entries())
      await server.put('orders', { id: `i-${at + 1}`, port, weight: 1 });
  };

  const calm = () => {
    test('endpoints appear, change their weight, drain and vanish within the natural delay; no request fails', async () => {
      const { server, gateway, a, b, becomes, used } = await begin();
      const stop = steadyLoad(gateway);
      await server.put('orders', { id: 'i-1', port: a.port, weight: 3 });
      await becomes('a3 b1 c1', delayMs);
      if (server.drain !== null) {
        await server.drain('orders', 'i-2');
        await patience(
          () => `b drains, last ${used()}`,
          delayMs,
          () => /^a3 (b0 )?c1$/.test(used()),
        );
        // What was on its way when the drain took effect.
        await patience('b is idle', delayMs, () => inFlight(gateway, b) === 0);
        const before = b.reached.length;
        for (let at = 0; at < 20; at++) await gateway.ask('/orders');
        expect(b.reached.length - before, 'new requests while it drains').toBe(0);
      }
      await server.remove('orders', 'i-2');
      await becomes('a3 c1', delayMs);
      await server.remove('orders', 'i-3');
      await becomes('a3', delayMs);
      await stop();
    });

    test('a service that it does not know is 503 with its reason, not a failed start', async () => {
      const { gateway } = await begin();
      const answer = await gateway.ask('/nobody');
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'GW_NO_ENDPOINT']);
      expect(answer.headers['proxy-status']).toMatch(/the registry known knows no endpoint of .*nobody/);
    });

    test('the last endpoint that vanishes stays in use until that is confirmed', async () => {
      const setting = await begin();
      const { server, becomes, used } = setting;
      await server.remove('orders', 'i-3');
      await server.remove('orders', 'i-2');
      await becomes('a1', delayMs + 5000);
      await server.remove('orders', 'i-1');
      await patience('doubt', delayMs + 1000, async () => {
        const series = await setting.gateway.series();
        return series.get('snowgate_registry_answer_doubted{registry="known",upstream="orders"}') === 1;
      });
      expect(used()).toBe('a1');
      await becomes('', delayMs + 5000);
    });

    const apart = test.skipIf(adapter.trouble === 'none');
    apart('a gateway that starts anew takes up what the registry says', async () => {
      const { server, gateway, a } = await begin();
      await gateway.gateway.stop();
      await server.put('orders', { id: 'i-1', port: a.port, weight: 2 });
      const again = await startBefore(server, join(gateway.folder, 'elsewhere'));
      await until(() => again.gateway.describeUpstreams()[0]!.endpoints.length === 3, 'three endpoints');
      expect((await again.ask('/orders')).status).toBe(200);
    });
  };
  describeWith(`registry: ${name}`, skip, calm, options);

  if (adapter.trouble === 'none') return;
  const troubled = () => {
    test('killed and back: the last list stays, its age is a metric, no request fails', async () => {
      const setting = await survives((faults) => faults.kill());
      await setting.faults.restartEmpty();
      await enterAgain(setting);
      await patience('a good answer', noticeMs + 10_000, async () => (await setting.age()) === 0);
      // A slow registry may have been asked while they came back one by one.
      await setting.becomes('a1 b1 c1', delayMs + noticeMs);
      await setting.stop();
    });

    const freezable = test.skipIf(adapter.trouble === 'no-freeze');
    freezable('frozen and thawed: the last list stays, its age is a metric, no request fails', async () => {
      const setting = await survives((faults) => faults.freeze());
      await setting.faults.thaw();
      await patience('a good answer', noticeMs + 10_000, async () => (await setting.age()) === 0);
      expect(setting.used()).toBe('a1 b1 c1');
      await setting.stop();
    });

    test('rubbish is a failure, never an answer', async () => {
      const setting = await survives((faults) => faults.rubbish());
      await setting.faults.restartEmpty();
      await enterAgain(setting);
      await patience('a good answer', noticeMs + 10_000, async () => (await setting.age()) === 0);
      await setting.stop();
    });

    test('restarted empty: the last list stays while the instances come back one by one', async () => {
      const setting = await begin();
      const { server, a, b, used, becomes } = setting;
      const stop = steadyLoad(setting.gateway);
      await server.faults.kill();
      await server.faults.restartEmpty();
      await server.put('orders', { id: 'i-1', port: a.port, weight: 1 });
      await patience('doubt or a failure', noticeMs + 10_000, async () => {
        const series = await setting.gateway.series();
        const doubted = series.get('snowgate_registry_answer_doubted{registry="known",upstream="orders"}');
        return doubted === 1;
      });
      expect(used()).toBe('a1 b1 c1');
      await server.put('orders', { id: 'i-2', port: b.port, weight: 1 });
      await becomes('a1 b1', delayMs + noticeMs + 5000);
      await stop();
    });

    test('a gateway starts while the registry is down, with what it knew, and follows it when it is back', async () => {
      const setting = await begin();
      const { server, gateway } = setting;
      const stateDir = gateway.gateway.snapshot.config.stateDir;
      await gateway.gateway.stop();
      await server.faults.kill();
      const before = performance.now();
      const again = await startBefore(server, stateDir);
      expect(performance.now() - before, 'milliseconds until it serves').toBeLessThan(3000);
      for (let at = 0; at < 10; at++) expect((await again.ask('/orders')).status).toBe(200);
      const stop = steadyLoad(again);
      await server.faults.restartEmpty();
      const after = await settingOf(server, again, [setting.a, setting.b, setting.c]);
      await enterAgain(after);
      await server.put('orders', { id: 'i-1', port: setting.a.port, weight: 5 });
      await after.becomes('a5 b1 c1', noticeMs + delayMs + 10_000);
      await stop();
    });

    test('a gateway that knows nothing starts while the registry is down, says why it cannot serve, and does once it can', async () => {
      const [server, origins] = [await adapter.start(), await startOrigins()];
      await server.faults.kill();
      const before = performance.now();
      const gateway = await startBefore(server, stateFolder());
      expect(performance.now() - before, 'milliseconds until it runs').toBeLessThan(3000);
      const answer = await gateway.ask('/orders');
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'GW_NO_ENDPOINT']);
      expect(answer.headers['proxy-status']).toMatch(
        /the registry known has (never answered|not answered yet)/,
      );
      await server.faults.restartEmpty();
      const setting = await settingOf(server, gateway, origins);
      await enterAgain(setting);
      await setting.becomes('a1 b1 c1', noticeMs + delayMs + 10_000);
      expect((await gateway.ask('/orders')).status).toBe(200);
    });
  };
  describeWith(`registry in trouble: ${name}`, skip, troubled, options);
}
