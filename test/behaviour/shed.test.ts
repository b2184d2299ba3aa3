/** Load shedding through the whole gateway, with a plugin that keeps the event loop busy. */
import { expect, test } from 'vitest';
import { startTestGateway, until } from '../kit/gateway.ts';

const BUSY = `import { definePlugin, reply, z } from 'snowgate/plugin';
export default definePlugin({
  name: 'busy', summary: 'Computes for a while.', config: z.strictObject({}),
  setup: (_config, host) => ({
    request() {
      const until = host.clock.nowMs() + 120;
      while (host.clock.nowMs() < until);
      return reply(200);
    },
  }),
});
`;

const yaml = (delay: string) => `shed: { delay: ${delay} }
routes:
  - { path: /busy, priority: high, plugins: { busy: {} } }
  - { path: /low, priority: low, plugins: { respond: { status: 204 } } }
`;

test('while the loop is late low priority gets 503 with Retry-After, high priority is served, and /readyz says so', async () => {
  const gateway = await startTestGateway(yaml('40ms'), { 'plugins/busy.ts': BUSY });
  let isOver = false;
  const served: number[] = [];
  const keepBusy = async () => {
    while (!isOver) served.push((await gateway.ask('/busy')).status);
  };
  const busy = [keepBusy(), keepBusy()];
  await until(() => gateway.gateway.ready().degraded.length > 0, 'degraded');
  let refused = await gateway.ask('/low');
  const over = performance.now() + 10_000;
  while (refused.status !== 503 && performance.now() < over) refused = await gateway.ask('/low');
  expect(refused.status).toBe(503);
  expect(refused.headers['retry-after']).toBe('1');
  expect(JSON.parse(refused.body).code).toBe('GW_SHED');
  expect(gateway.gateway.ready().ready).toBe(true);
  expect((await gateway.series()).get('snowgate_shed_level')).toBeGreaterThan(0);
  isOver = true;
  await Promise.all(busy);
  expect(new Set(served)).toEqual(new Set([200]));
  // A busy machine may never be as calm as 40 ms.
  await gateway.edit(yaml('1h'));
  await until(() => gateway.gateway.ready().degraded.length === 0, 'calm');
  expect((await gateway.ask('/low')).status).toBe(204);
});
