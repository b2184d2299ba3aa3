/** Caps and the queue in the whole gateway: overload is told early, streams take no place, nothing is lost. */
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestGateway, until } from '../kit/gateway.ts';
import { startEchoOrigin, startOrigin } from '../kit/gateway-origin.ts';

/** An origin that answers when it is told to. */
const patient = async () => {
  const held: ServerResponse[] = [];
  const origin = await startOrigin((_, response) => held.push(response));
  return {
    origin,
    held,
    answerAll() {
      for (const response of held.splice(0)) response.end('ok');
    },
  };
};

const yamlOf = (url: string, caps: string) => `
upstreams:
  orders: { targets: ["${url}"], concurrency: { ${caps} } }
routes: [{ name: orders, path: /**, upstream: orders }]
`;

test('more than the cap wait, more than the queue are refused at once, and nobody else notices', async () => {
  const { origin, held, answerAll } = await patient();
  const gateway = await startTestGateway(yamlOf(origin.url, 'endpoint: 4, queue: 8, queueTimeout: 30s'));
  const state = () => gateway.gateway.describeUpstreams()[0]!;
  const taken = Array.from({ length: 4 }, () => gateway.ask('/'));
  await until(() => held.length === 4, 'four requests');
  const waiting = Array.from({ length: 8 }, () => gateway.ask('/'));
  await until(() => state().waiting === 8, 'eight to wait');
  expect((await gateway.series()).get('snowgate_upstream_waiting{upstream="orders"}')).toBe(8);
  const refused = await gateway.ask('/');
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
  expect(JSON.parse(refused.body).code).toBe('GW_QUEUE_FULL');
  expect(held).toHaveLength(4);
  let answered = 0;
  for (const each of [...taken, ...waiting]) void each.then(() => answered++);
  await until(() => {
    expect(held.length).toBeLessThanOrEqual(4);
    answerAll();
    return answered === 12;
  }, 'all answers');
  for (const { status } of await Promise.all([...taken, ...waiting])) expect(status).toBe(200);
  expect(state()).toMatchObject({ waiting: 0, endpoints: [{ inFlight: 0, connections: 4 }] });
});

test('a wait ends with 503 after its time, or when the client leaves', async () => {
  const { origin, held } = await patient();
  const gateway = await startTestGateway(yamlOf(origin.url, 'endpoint: 1, queueTimeout: 200ms'));
  const first = gateway.ask('/');
  await until(() => held.length === 1, 'the first request');
  const leaving = fetch(`http://127.0.0.1:${gateway.port}/`, { signal: AbortSignal.timeout(50) });
  await expect(leaving).rejects.toThrow();
  const late = await gateway.ask('/late');
  expect([late.status, JSON.parse(late.body).code]).toEqual([503, 'GW_QUEUE_TIMEOUT']);
  held[0]!.end();
  expect((await first).status).toBe(200);
  expect(origin.reached).toHaveLength(1);
});

test('WebSockets and event streams leave their place to others', async () => {
  const echo = await startEchoOrigin();
  const gateway = await startTestGateway(yamlOf(echo.url, 'endpoint: 1, queue: 0, streams: 3'));
  const sockets: WebSocket[] = [];
  for (let n = 0; n < 3; n++) {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
    sockets.push(socket);
    await until(() => socket.readyState === WebSocket.OPEN, 'the socket to open');
    expect((await gateway.ask('/')).status).toBe(200);
  }
  const [endpoint] = gateway.gateway.describeUpstreams()[0]!.endpoints;
  expect(endpoint).toMatchObject({ inFlight: 3, streams: 3 });
  for (const socket of sockets) socket.close();
  await until(() => gateway.gateway.describeUpstreams()[0]!.endpoints[0]!.inFlight === 0, 'them to close');
});

test('other limits are in force from a reload on, with the same connections', async () => {
  const { origin, held, answerAll } = await patient();
  const gateway = await startTestGateway(yamlOf(origin.url, 'endpoint: 1, queueTimeout: 30s'));
  const asked = [gateway.ask('/'), gateway.ask('/'), gateway.ask('/')];
  await until(() => held.length === 1 && gateway.gateway.describeUpstreams()[0]!.waiting === 2, 'a queue');
  await gateway.edit(yamlOf(origin.url, 'endpoint: 3, queueTimeout: 30s'));
  await until(() => held.length === 3, 'the others to be sent');
  answerAll();
  for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
});

test('an adaptive limit keeps the queue out of the service, which answers as many as it can', async () => {
  // Four at a time, 40 ms each: 100 a second at best.
  let busy = 0;
  let inside = 0;
  const line: (() => void)[] = [];
  const work = (response: ServerResponse) => {
    busy++;
    setTimeout(() => {
      busy--;
      inside--;
      response.end('ok');
      line.shift()?.();
    }, 40);
  };
  const origin = await startOrigin((_, response) => {
    inside++;
    if (busy < 4) work(response);
    else line.push(() => work(response));
  });
  const gateway = await startTestGateway(yamlOf(origin.url, 'adaptive: { min: 2 }, queueTimeout: 30s'));
  const answered: number[] = [];
  let stopped = false;
  const clients = Array.from({ length: 60 }, async () => {
    while (!stopped) answered.push((await gateway.ask('/')).status);
  });
  await until(() => answered.length >= 250, 'the limit to settle');
  const before = answered.length;
  const startMs = performance.now();
  let most = 0;
  await until(() => {
    most = Math.max(most, inside);
    return answered.length >= before + 150;
  }, 'answers');
  const perSecond = 150 / ((performance.now() - startMs) / 1000);
  stopped = true;
  await Promise.all(clients);
  expect(new Set(answered)).toEqual(new Set([200]));
  // Without it all sixty would be there.
  expect(most).toBeLessThan(30);
  expect(perSecond).toBeGreaterThan(60);
  const { limit } = gateway.gateway.describeUpstreams()[0]!;
  expect(limit).toBeGreaterThan(2);
  expect((await gateway.series()).get('snowgate_upstream_concurrency_limit{upstream="orders"}')).toBe(limit);
});
