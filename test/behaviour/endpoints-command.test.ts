/** What `snowgate endpoints` tells of a gateway that runs: where its endpoints come from and which are in use. */
import { expect, test } from 'vitest';
import { run, start } from '../kit/command.ts';
import { folderOf } from '../kit/plugin.ts';
import { freePorts } from '../kit/server-process.ts';

const begin = async () => {
  const [admin = 0] = await freePorts(1);
  const folder = folderOf({
    'gateway.yaml': `
listen: 127.0.0.1:0
admin: 127.0.0.1:${admin}
registries:
  local: { type: file, path: services.yaml }
upstreams:
  fixed: { targets: [http://127.0.0.1:9001] }
  orders: { discover: local/orders }
  nobody: { discover: local/nobody }
routes:
  - { path: /fixed, upstream: fixed }
  - { path: /orders, upstream: orders }
  - { path: /nobody, upstream: nobody }
`,
    'services.yaml':
      'orders: [{ id: i-1, address: 127.0.0.1:9002, weight: 3, zone: north }, { address: 127.0.0.1:9003, weight: 0 }]',
  });
  return { options: { cwd: folder.path } };
};

test('each upstream is told with the source of its endpoints, when it answered, and what is in use', async () => {
  const { options } = await begin();
  await start(['start'], options).says(/the gateway serves/);
  const { code, out } = await run(['endpoints'], options);
  expect(code).toBe(0);
  expect(out).toMatch(/^fixed {2}named in the configuration$/m);
  expect(out).toMatch(/^orders {2}local\/orders {2}from the registry, \d{4}-\d\d-\d\dT/m);
  expect(out).toMatch(/127\.0\.0\.1:9002 {2}weight 3 {2}zone north {2}in use {2}i-1$/m);
  expect(out).toMatch(/127\.0\.0\.1:9003 {2}weight 0 .*drains$/m);
  expect(out).toContain('no endpoint: the registry local knows no endpoint of nobody');

  const json = await run(['endpoints', 'orders', '--json'], options);
  expect(JSON.parse(json.out)).toMatchObject([
    {
      upstream: 'orders',
      registry: 'local',
      service: 'orders',
      from: 'registry',
      ageSeconds: 0,
      failure: null,
      endpoints: [
        { id: 'i-1', endpoint: '127.0.0.1:9002', weight: 3, zone: 'north', available: true },
        { endpoint: '127.0.0.1:9003', weight: 0 },
      ],
    },
  ]);
});

test('where no gateway runs, or there is no such upstream, that is said', async () => {
  const { options } = await begin();
  const none = await run(['endpoints'], options);
  expect([none.code, none.out]).toEqual([1, '']);
  expect(none.err).toContain('No gateway answers at http://127.0.0.1:');
  const wrong = await run(['endpoints', 'ordrs'], options);
  expect([wrong.code, wrong.err.trim()]).toEqual([2, 'There is no upstream "ordrs". Did you mean `orders`?']);
});
