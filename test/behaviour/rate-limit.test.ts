/** The rate-limit plugin through the whole gateway, with its buckets in this process. */
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../kit/command.ts';
import { type Answer, startTestGateway, type TestGateway } from '../kit/gateway.ts';
import { configIssues, folderOf } from '../kit/plugin.ts';

const route = (limit: string, more = '') =>
  `routes:\n  - path: /**\n    name: all\n    plugins:\n      rate-limit: ${limit}\n      respond: { status: 204 }\n${more}`;

const statuses = async (gateway: TestGateway, count: number, headers = {}): Promise<number[]> => {
  const answers: Answer[] = [];
  for (let at = 0; at < count; at++) answers.push(await gateway.ask('/', { headers }));
  return answers.map((answer) => answer.status);
};

test('after the burst comes 429 with the fields of the draft, a problem document and the code in the log', async () => {
  const gateway = await startTestGateway(route('{ rate: 1/min, burst: 3 }'));
  const first = await gateway.ask('/');
  expect(first.status).toBe(204);
  expect(first.headers['ratelimit-policy']).toBe('"rate-limit";q=3;w=180');
  expect(first.headers.ratelimit).toMatch(/^"rate-limit";r=2;t=(59|60)$/);
  const second = await gateway.ask('/');
  expect(second.headers.ratelimit).toMatch(/^"rate-limit";r=1;t=(119|120)$/);
  // The bucket would be full in three minutes, but another request passes in one.
  const last = await gateway.ask('/');
  expect(last.status).toBe(204);
  expect(last.headers.ratelimit).toMatch(/^"rate-limit";r=0;t=(59|60)$/);
  const refused = await gateway.ask('/');
  expect(refused.status).toBe(429);
  expect(refused.headers['retry-after']).toMatch(/^(59|60)$/);
  expect(refused.headers.ratelimit).toBe(`"rate-limit";r=0;t=${refused.headers['retry-after']}`);
  expect(JSON.parse(refused.body)).toMatchObject({ status: 429, code: 'GW_RATE_LIMITED' });
  expect((await gateway.line((line) => line.status === 429)).code).toBe('GW_RATE_LIMITED');
});

test('who comes back after Retry-After passes', async () => {
  const gateway = await startTestGateway(route('{ rate: 2/s, burst: 1 }'));
  await gateway.ask('/');
  const refused = await gateway.ask('/');
  expect(refused.status).toBe(429);
  const waitMs = Number(refused.headers['retry-after']) * 1000;
  expect(waitMs).toBe(1000);
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  expect((await gateway.ask('/')).status).toBe(204);
});

test('each value of the word has a bucket of its own, and who lacks it is known by the address', async () => {
  const gateway = await startTestGateway(route('{ rate: 1/h, by: header.x-key }'));
  expect(await statuses(gateway, 2, { 'x-key': 'a' })).toEqual([204, 429]);
  expect(await statuses(gateway, 2, { 'x-key': 'b' })).toEqual([204, 429]);
  expect(await statuses(gateway, 2)).toEqual([204, 429]);
});

test('a value cannot take the place of another word', async () => {
  const gateway = await startTestGateway(route('{ rate: 1/h, by: [header.a, header.b] }'));
  expect((await gateway.ask('/', { headers: { a: 'x', b: 'y","z' } })).status).toBe(204);
  expect((await gateway.ask('/', { headers: { a: 'x","y', b: 'z' } })).status).toBe(204);
});

test('missing: deny refuses who lacks the word, missing: allow lets it pass', async () => {
  const denying = await startTestGateway(route('{ rate: 1/h, by: header.x-key, missing: deny }'));
  expect(await statuses(denying, 1)).toEqual([403]);
  const allowing = await startTestGateway(route('{ rate: 1/h, by: header.x-key, missing: allow }'));
  expect(await statuses(allowing, 3)).toEqual([204, 204, 204]);
});

test('a plan brings its own limit, false none, and an unknown plan the common one', async () => {
  const gateway = await startTestGateway(
    route('{ rate: 1/h, plan: header.x-plan, plans: { pro: { rate: 3/h }, staff: false } }'),
  );
  expect(await statuses(gateway, 4, { 'x-plan': 'pro' })).toEqual([204, 204, 204, 429]);
  expect(await statuses(gateway, 5, { 'x-plan': 'staff' })).toEqual([204, 204, 204, 204, 204]);
  expect(await statuses(gateway, 2, { 'x-plan': 'gold' })).toEqual([204, 429]);
});

test('several windows and a quota hold at once, and the tightest is told', async () => {
  const gateway = await startTestGateway(
    route('{ rate: 100/s, windows: [{ rate: 50/h, burst: 5 }], quota: 3/day }'),
  );
  const first = await gateway.ask('/');
  expect(first.headers['ratelimit-policy']).toBe(
    '"rate-limit 100/s";q=100;w=1, "rate-limit 50/h";q=5;w=360, "rate-limit 3/day";q=3;w=86400',
  );
  expect(first.headers.ratelimit).toMatch(/^"rate-limit 3\/day";r=2;t=\d+$/);
  expect(await statuses(gateway, 3)).toEqual([204, 204, 429]);
});

test('two limits on a route hold both, and both are told', async () => {
  const gateway = await startTestGateway(
    route('{ rate: 5/h }', '      second: { type: rate-limit, rate: 2/h, by: route }\n'),
  );
  const first = await gateway.ask('/');
  expect(first.headers['ratelimit-policy']).toBe('"second";q=2;w=3600, "rate-limit";q=5;w=3600');
  expect(await statuses(gateway, 2)).toEqual([204, 429]);
});

test('cost takes several tokens', async () => {
  const gateway = await startTestGateway(route('{ rate: 10/h, cost: 4 }'));
  expect(await statuses(gateway, 3)).toEqual([204, 204, 429]);
});

test('allow leaves addresses alone', async () => {
  const gateway = await startTestGateway(route('{ rate: 1/h, allow: [127.0.0.0/8] }'));
  expect(await statuses(gateway, 3)).toEqual([204, 204, 204]);
});

test('dryRun refuses nobody, tells clients nothing and counts', async () => {
  const gateway = await startTestGateway(route('{ rate: 1/h, dryRun: true }'));
  expect(await statuses(gateway, 3)).toEqual([204, 204, 204]);
  expect((await gateway.ask('/')).headers.ratelimit).toBeUndefined();
  const series = await gateway.series();
  const name = 'snowgate_plugin_rate_limit_total{instance="rate-limit",result="would_refuse",store="memory"}';
  expect(series.get(name)).toBe(3);
});

test('an edit of the limit keeps the buckets', async () => {
  const gateway = await startTestGateway(route('{ rate: 2/h }'));
  expect(await statuses(gateway, 3)).toEqual([204, 204, 429]);
  await gateway.edit(route('{ rate: 2/h, headers: false }'));
  expect(await statuses(gateway, 1)).toEqual([429]);
});

test('a limit that was edited to be quick again holds nobody by the debt of the slow one', async () => {
  const gateway = await startTestGateway(route('{ rate: 1/h, burst: 2 }'));
  expect(await statuses(gateway, 3)).toEqual([204, 204, 429]);
  await gateway.edit(route('{ rate: 1000/s, burst: 2 }'));
  const refused = await gateway.ask('/');
  expect([204, 429]).toContain(refused.status);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect((await gateway.ask('/')).status).toBe(204);
});

test('that several gateways multiply a limit is noted once, whatever the number of limits', async () => {
  const gateway = await startTestGateway(
    route('{ rate: 5/h }', '      second: { type: rate-limit, rate: 2/h }\n'),
  );
  const { issues } = gateway.gateway;
  expect(issues.map(({ severity, place }) => [severity, place?.line])).toEqual([['note', 7]]);
  expect(issues[0]!.message).toContain('several together let through as many times the limit');
});

test('early counts what the authenticators refuse, else only what they let in', async () => {
  const guarded = (limit: string) =>
    route(limit, '      authorize: { allow: [{ name: nobody, scopes: [none] }] }\n');
  const late = await startTestGateway(guarded('{ rate: 2/h }'));
  expect(await statuses(late, 3)).toEqual([403, 403, 403]);
  const early = await startTestGateway(guarded('{ rate: 2/h, early: true }'));
  expect(await statuses(early, 3)).toEqual([403, 403, 429]);
});

const REFUSED: [config: unknown, path: string[], part: string][] = [
  [{}, [], 'needs a `rate`'],
  [{ rate: '100' }, ['rate'], 'must be a rate such as'],
  [{ rate: '2000000/s' }, ['rate'], 'at most 1000000/s'],
  [{ burst: 5, quota: '5/day' }, ['burst'], 'needs a `rate`'],
  [{ rate: '1/d', burst: 1000 }, ['burst'], 'over a year'],
  [{ rate: '5/s', by: 'claims.sub', early: true }, ['early'], 'nobody is known'],
  [{ rate: '5/s', cost: 6 }, ['cost'], 'must fit'],
  [{ rate: '5/s', quota: '0/day' }, ['quota'], 'must be a quota'],
  [{ rate: '5/s', quota: '5/week' }, ['quota'], 'must be a quota'],
  [{ rate: '5/s', by: 'claim.sub' }, ['by'], 'there is no word'],
  [{ rate: '5/s', plan: 'principal.plan' }, ['plans'], 'need each other'],
  [
    { rate: '5/s', plan: 'principal.plan', plans: { a: { rat: '1/s' } } },
    ['plans', 'a', 'rat'],
    'unknown key',
  ],
  [{ rate: '5/s', allow: ['10.0.0.0/64'] }, ['allow', '0'], 'must be an address'],
];
for (const [config, path, part] of REFUSED) {
  test(`${JSON.stringify(config)} is refused`, async () => {
    const issues = await configIssues('rate-limit', config);
    expect(issues.map((issue) => issue.path.map(String))).toContainEqual(path);
    expect(issues.map((issue) => issue.message).join('; ')).toContain(part);
  });
}

test('check connects to no Redis', async () => {
  let connections = 0;
  const server = createServer(() => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const folder = folderOf({ 'gateway.yaml': `redis: redis://127.0.0.1:${port}\n${route('{ rate: 5/h }')}` });
  const { code, out, err } = await run(['check'], { cwd: folder.path });
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('is good: 1 route, 0 upstreams');
  expect(connections).toBe(0);
});
