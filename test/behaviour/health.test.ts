/** Endpoints that die, hang and come back, as real processes behind the whole gateway under load. */
import { expect, test } from 'vitest';
import { type Answer, startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { type OriginProcess, startOriginProcess } from '../kit/origin-process.ts';

const threeBehind = async (more: string) => {
  const origins = await Promise.all([startOriginProcess(), startOriginProcess(), startOriginProcess()]);
  const targets = origins.map(({ url }) => `"${url}"`).join(', ');
  const gateway = await startTestGateway(`
upstreams:
  orders: { targets: [${targets}], ${more} }
routes: [{ name: orders, path: /**, upstream: orders }]
`);
  return { origins, gateway };
};

const stateOf = ({ gateway }: TestGateway, { endpoint }: OriginProcess) =>
  gateway.describeUpstreams()[0]!.endpoints.find((each) => each.endpoint === endpoint)!;

/** Asks without a pause, a few at a time, until it is told to stop. */
const load = (gateway: TestGateway, path = '/', width = 4) => {
  const answers: (Answer | Error)[] = [];
  let stopped = false;
  const running = Array.from({ length: width }, async () => {
    while (!stopped) answers.push(await gateway.ask(path).catch((error: Error) => error));
  });
  return {
    answers,
    /** Waits for more answers, whatever they are. */
    more: (count: number) => {
      const wanted = answers.length + count;
      return until(() => answers.length >= wanted, 'answers');
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
      return answers;
    },
  };
};
const isLost = (answer: Answer | Error) => answer instanceof Error || answer.status !== 200 || !answer.whole;

test('kill -9 of one of three under load loses only what it was answering', async () => {
  const { origins, gateway } = await threeBehind('health: { path: /healthz, interval: 200ms }');
  const streams = load(gateway, '/stream', 6);
  const short = load(gateway);
  await short.more(100);
  await until(() => stateOf(gateway, origins[0]!).inFlight > 0, 'a stream on the one to be killed');
  await origins[0]!.kill();
  await until(() => !stateOf(gateway, origins[0]!).available, 'it to be passed over');
  await short.more(200);
  expect((await short.stop()).filter(isLost).length).toBeLessThanOrEqual(1);
  const cut = (await streams.stop()).filter(isLost);
  // Streams that were under way end uncleanly, and nothing else does.
  for (const answer of cut) expect(answer).toMatchObject({ status: 200, whole: false });
  expect(cut.length).toBeLessThanOrEqual(6);
  await until(() => stateOf(gateway, origins[0]!).out.includes('unhealthy'), 'the checks to find it');

  await origins[0]!.start();
  await until(() => stateOf(gateway, origins[0]!).available, 'it to be back');
});

test('a frozen endpoint is found by its checks, and comes back when it runs again', async () => {
  const { origins, gateway } = await threeBehind(
    'health: { path: /healthz, interval: 200ms, timeout: 100ms }, timeouts: { firstByte: 10s }',
  );
  const frozen = origins[1]!;
  await until(() => (stateOf(gateway, frozen).health?.passed ?? 0) > 0, 'a first check');
  frozen.freeze();
  await until(() => !stateOf(gateway, frozen).available, 'the checks to fail');
  expect(stateOf(gateway, frozen)).toMatchObject({ out: ['unhealthy'], health: { status: 'down' } });
  expect(await gateway.logged('an endpoint is unhealthy')).toMatchObject({ endpoint: frozen.endpoint });
  // Nobody waits for it any more.
  const answers = await Promise.all(Array.from({ length: 30 }, () => gateway.ask('/')));
  expect(answers.filter(isLost)).toEqual([]);
  const series = await gateway.series();
  const labels = `{endpoint="${frozen.endpoint}",upstream="orders"}`;
  expect(series.get(`snowgate_endpoint_healthy${labels}`)).toBe(0);
  expect(
    series.get(
      `snowgate_endpoint_health_checks_total{endpoint="${frozen.endpoint}",result="failed",upstream="orders"}`,
    ),
  ).toBeGreaterThanOrEqual(3);
  frozen.thaw();
  await until(() => stateOf(gateway, frozen).available, 'it to be back');
  await gateway.logged('an endpoint is healthy again');
});

test('what checks have found survives a reload', async () => {
  const { origins, gateway } = await threeBehind('health: { path: /healthz, interval: 200ms }');
  await origins[2]!.kill();
  await until(() => stateOf(gateway, origins[2]!).out.includes('unhealthy'), 'the checks to fail');
  const before = stateOf(gateway, origins[2]!).health!.failed;
  const targets = origins.map(({ url }) => `"${url}"`).join(', ');
  await gateway.edit(`
log: { level: warn }
upstreams:
  orders: { targets: [${targets}], health: { path: /healthz, interval: 200ms } }
routes: [{ name: orders, path: /**, upstream: orders }]
`);
  expect(stateOf(gateway, origins[2]!).out).toContain('unhealthy');
  expect(stateOf(gateway, origins[2]!).health!.failed).toBeGreaterThanOrEqual(before);
});

test('with all of them dead the answer is soon 503 at once, and few attempts are made', async () => {
  const { origins, gateway } = await threeBehind('breaker: { openFor: 60s }');
  for (const origin of origins) await origin.kill();
  for (let n = 0; n < 200; n++) await gateway.ask('/');
  const attempts = gateway.access.reduce((sum, line) => sum + line.attempts, 0);
  expect(attempts).toBeLessThanOrEqual(200 * 1.2);
  const startMs = performance.now();
  const { status, body } = await gateway.ask('/');
  expect(performance.now() - startMs).toBeLessThan(50);
  expect([status, JSON.parse(body).code]).toEqual([503, 'GW_BREAKER_OPEN']);
});
