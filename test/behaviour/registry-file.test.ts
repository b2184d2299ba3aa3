/** Upstreams whose endpoints stand in a watched file: edits show at once, bad ones change nothing. */
import { expect, test } from 'vitest';
import { run } from '../kit/command.ts';
import { startTestGateway, type TestGateway, until } from '../kit/gateway.ts';
import { startOrigin } from '../kit/gateway-origin.ts';
import { folderOf } from '../kit/plugin.ts';

const YAML = `
registries:
  local: { type: file, path: services.yaml }
upstreams:
  orders: { discover: local/orders }
routes:
  - { path: /orders/**, upstream: orders }
  - { path: /users/**, upstream: local/users }
`;

const used = ({ gateway }: TestGateway, upstream = 'orders') =>
  gateway
    .describeUpstreams()
    .find((each) => each.name === upstream)!
    .endpoints.map(({ endpoint, weight }) => `${endpoint} ${weight}`);

test('endpoints of a file take requests by their weights, from the first request on', async () => {
  const [a, b] = [await startOrigin(), await startOrigin()];
  const { ask } = await startTestGateway(YAML, {
    'services.yaml': `orders: { ${a.url}: 3, "127.0.0.1:${b.port}": 1 }`,
  });
  for (let at = 0; at < 8; at++) expect((await ask('/orders/1')).status).toBe(200);
  expect([a.reached.length, b.reached.length]).toEqual([6, 2]);
});

test('an endpoint that is added, weighted anew or taken away shows at once, without a lost request', async () => {
  const [a, b] = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(YAML, { 'services.yaml': `orders: [${a.url}]` });
  let lost = 0;
  let asking = true;
  const load = (async () => {
    while (asking) if ((await gateway.ask('/orders/1')).status !== 200) lost++;
  })();
  gateway.write('services.yaml', `orders: [${a.url}, { address: ${b.url}, zone: north }]`);
  await until(() => used(gateway).length === 2, 'two endpoints');
  gateway.write('services.yaml', `orders: { ${a.url}: 0, ${b.url}: 5 }`);
  await until(() => used(gateway).includes(`127.0.0.1:${a.port} 0`), 'a new weight');
  gateway.write('services.yaml', `orders: [${b.url}]`);
  await until(() => used(gateway).length === 1, 'one endpoint');
  asking = false;
  await load;
  expect(lost).toBe(0);
  expect(used(gateway)).toEqual([`127.0.0.1:${b.port} 1`]);
  expect(gateway.applied, 'no reload of the configuration').toBe(1);
});

test('a bad edit is told with its place, and the last good list stays', async () => {
  const a = await startOrigin();
  const gateway = await startTestGateway(YAML, { 'services.yaml': `orders: [${a.url}]` });
  gateway.write('services.yaml', `orders:\n  - { addres: ${a.url} }\n`);
  await until(() => gateway.log.some((line) => line.message === 'unknown key `addres`'), 'a refusal');
  const { msg, where, remedy } = gateway.log.find((line) => line.message === 'unknown key `addres`')!;
  expect([msg, where, remedy]).toEqual([
    'the file of services is refused; what it said last stays in use',
    expect.stringMatching(/services\.yaml:2:7$/),
    'Did you mean `address`?',
  ]);
  expect((await gateway.ask('/orders/1')).status).toBe(200);
  expect(gateway.gateway.ready()).toMatchObject({
    ready: true,
    degraded: [
      expect.stringMatching(/^the registry local fails, and orders keeps its last endpoints: /),
      expect.stringContaining('users keeps'),
    ],
  });
  gateway.write('services.yaml', '');
  await until(() => gateway.log.some((line) => line.message === 'the file is empty'), 'a refusal');
  expect((await gateway.ask('/orders/1')).status).toBe(200);
});

test('a service that the file does not name is 503 with its reason, and no failed start', async () => {
  const a = await startOrigin();
  const gateway = await startTestGateway(`trustedProxies: 127.0.0.1\n${YAML}`, {
    'services.yaml': `orders: [${a.url}]`,
  });
  const answer = await gateway.ask('/users/1');
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, 'GW_NO_ENDPOINT']);
  expect(answer.headers['proxy-status']).toContain('the registry local knows no endpoint of users');
  gateway.write('services.yaml', `{ orders: [${a.url}], users: [${a.url}] }`);
  await until(() => used(gateway, 'local/users').length === 1, 'an endpoint');
  expect((await gateway.ask('/users/1')).status).toBe(200);
});

test('a gateway starts without the file, and finds it when it comes', async () => {
  const a = await startOrigin();
  const gateway = await startTestGateway(YAML);
  expect((await gateway.ask('/orders/1')).status).toBe(503);
  gateway.write('services.yaml', JSON.stringify({ orders: [a.url] }));
  await until(() => used(gateway).length === 1, 'an endpoint');
  expect((await gateway.ask('/orders/1')).status).toBe(200);
});

test('the form of Prometheus is read too, with its labels as weight, zone and metadata', async () => {
  const [a, b] = [await startOrigin(), await startOrigin()];
  const groups = [
    { targets: [`127.0.0.1:${a.port}`], labels: { job: 'orders', weight: 3, env: 'live' } },
    { targets: [`127.0.0.1:${b.port}`], labels: { service: 'orders', env: 'test' } },
  ];
  const gateway = await startTestGateway(
    YAML.replace('local/orders', '{ registry: local, service: orders, metadata: { env: live } }'),
    { 'services.yaml': JSON.stringify(groups) },
  );
  expect(used(gateway)).toEqual([`127.0.0.1:${a.port} 3`]);
});

test('a reload keeps what is followed, and a changed discover takes over at once', async () => {
  const [a, b] = [await startOrigin(), await startOrigin()];
  const gateway = await startTestGateway(YAML, {
    'services.yaml': `{ orders: [${a.url}], others: [${b.url}] }`,
  });
  await gateway.edit(YAML.replace('local/orders', 'local/others'));
  expect(used(gateway)).toEqual([`127.0.0.1:${b.port} 1`]);
  await gateway.edit(YAML.replace('local/orders }', `local/others, balance: random }`));
  gateway.write('services.yaml', `{ others: [${a.url}, ${b.url}] }`);
  await until(() => used(gateway).length === 2, 'two endpoints');
  await gateway.edit(`routes: [{ path: /orders/**, upstream: "${a.url}" }]`);
  expect((await gateway.ask('/orders/1')).body).toBe(String(a.port));
});

test('check tells what is wrong with the file, and no start fails for it', async () => {
  const { path } = folderOf({ 'gateway.yaml': YAML, 'services.yaml': 'orders: [{ adress: 127.0.0.1:1 }]' });
  const { code, err } = await run(['check'], { cwd: path });
  expect(code).toBe(0);
  expect(err).toMatch(
    /gateway\.yaml:3:10 warning: .*services\.yaml:1:12 unknown key `adress` \(Did you mean/,
  );
});
