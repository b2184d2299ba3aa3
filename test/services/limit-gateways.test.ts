/** Four whole gateways on one Redis under a flood: together never more than the burst and what the rate makes of the time. */
import { Agent } from 'node:http';
import { expect, onTestFinished } from 'vitest';
import { startTestGateway } from '../kit/gateway.ts';
import { redisTest, startRedis } from '../kit/redis.ts';

const REQUESTS = 10_000;
const AT_ONCE = 25;

/** A budget for Redis that no busy machine uses up: a gateway's own part is another test's matter. */
const yaml = (url: string, rate: number, burst: number) => `redis: { url: ${url}, timeout: 10s }
log: { access: false }
routes:
  - path: /**
    plugins: { rate-limit: { rate: ${rate}/s, burst: ${burst} }, respond: { status: 204 } }
`;

const SHAPES: [rate: number, burst: number][] = [
  [400, 40],
  [40, 400],
  [1000, 1],
];
for (const [rate, burst] of SHAPES) {
  redisTest(`of ${REQUESTS} requests at most ${burst} + ${rate}/s pass`, async () => {
    const server = await startRedis();
    const gateways = await Promise.all(
      [1, 2, 3, 4].map(() => startTestGateway(yaml(server.url, rate, burst))),
    );
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const answers = new Map<number, number>();
    let left = REQUESTS;
    const start = performance.now();
    const client = async (gateway: (typeof gateways)[0]) => {
      while (left-- > 0) {
        const { status } = await gateway.ask('/', { agent });
        answers.set(status, (answers.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(gateways.flatMap((gateway) => Array.from({ length: AT_ONCE }, () => client(gateway))));
    const seconds = (performance.now() - start) / 1000;
    const admitted = answers.get(204) ?? 0;
    const most = burst + rate * seconds;
    console.log(`${admitted} of at most ${most.toFixed(0)} in ${seconds.toFixed(1)} s`);
    expect([...answers.keys()].sort()).toEqual([204, 429]);
    expect(admitted + answers.get(429)!).toBe(REQUESTS);
    expect(admitted).toBeLessThanOrEqual(most);
    expect(admitted).toBeGreaterThanOrEqual(burst);
  });
}
